"""How long a next fire time takes, beside croniter's own, in one run: `python tests/benchmarks/fire_times.py`.

Times are this process's CPU time, so that a busy machine changes them little.
"""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from runner.schedule.catch_up import plan
from runner.schedule.fires import next_fire
from schemas.automation import TrainingSchedule

COUNT = 10_000
START = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
ZONE = "America/New_York"


def per_call_us(seconds: float, calls: int) -> float:
    return seconds / calls * 1e6


def ours(lines: list[str]) -> tuple[float, float]:
    """First call per schedule (parsed then), and one a day later."""
    taken = []
    for day in (0, 1):
        begun = time.process_time()
        for number, line in enumerate(lines):
            next_fire(f"schedule-{number}", line, ZONE, START + timedelta(days=day))
        taken.append(per_call_us(time.process_time() - begun, len(lines)))
    return taken[0], taken[1]


def by_croniter(lines: list[str]) -> tuple[float, float]:
    """Parsing with the first fire, and a further fire of the parsed line."""
    local = START.astimezone(ZoneInfo(ZONE))
    begun = time.process_time()
    parsed = [croniter(line, local, hash_id=f"schedule-{number}") for number, line in enumerate(lines)]
    for line in parsed:
        line.get_next(datetime)
    first = time.process_time() - begun
    begun = time.process_time()
    for line in parsed:
        line.get_next(datetime)
    return per_call_us(first, len(lines)), per_call_us(time.process_time() - begun, len(lines))


def main() -> None:
    kinds = {
        "all different": [f"{n % 60} {n // 60 % 24} {1 + n % 28} * *" for n in range(COUNT)],
        "all the same": ["*/5 * * * *"] * COUNT,
        "hashed by name": ["H H * * *"] * COUNT,
    }
    print(f"{COUNT} schedules, microseconds of CPU per call: first / further")
    for kind, lines in kinds.items():
        (first, further), (their_first, their_further) = ours(lines), by_croniter(lines[: COUNT // 10])
        print(
            f"{kind:15} ours {first:6.1f} / {further:5.1f}   croniter {their_first:6.1f} / {their_further:5.1f}"
            f"   ratio {their_first / first:5.1f} / {their_further / further:5.1f}"
        )
    schedules = [TrainingSchedule(name=f"s{n}", cron_expression=f"0 12 {1 + n % 28},7 * *") for n in range(COUNT)]
    begun = time.process_time()
    for schedule in schedules:
        plan(schedule, START - timedelta(hours=5), START + timedelta(seconds=0.2))
    print(f"plan of one due occurrence: {per_call_us(time.process_time() - begun, COUNT):.1f}")


if __name__ == "__main__":
    main()
