"""The process wall between the daemon and a run.

`Launcher` stands on the daemon's side: launch, adopt, observe, stop. `child` stands on the run's: it does the one job,
with a `HeartbeatThread` beside it. `RunDir` is all that passes between them.
"""
