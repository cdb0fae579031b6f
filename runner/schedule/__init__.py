"""When schedules fire: pure functions, `now` passed in, no input or output.

`fires` (next fires, and the delay that spreads starts), `catch_up.plan` (what was missed), `overlap.decide` (what waits
for its own predecessor), `cron_syntax` and `cron` (which lines are understood, and as what), `describe` (in words).
"""
