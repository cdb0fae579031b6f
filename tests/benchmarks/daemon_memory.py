"""Resident memory of a daemon over a simulated month. Run it as a script; it prints figures.

    PYTHONPATH=tests/process python tests/benchmarks/daemon_memory.py [--days 30]

Everything is real but the clock and the GPU; one real run a day (a worker process), 24 fires an hour that a pause
records as missed, the default triggers, housekeeping once a day, a turn every ten simulated minutes.
"""

import argparse
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "process"))

from daemon_world import World, schedule

from runner import schedule_service
from runner.maintenance import Maintenance
from runner.store import schedules
from schemas.automation import create_default_triggers

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
STEP = timedelta(minutes=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    days = parser.parse_args().days
    home = Path(tempfile.mkdtemp(prefix="daemon_memory_"))
    try:
        with World(home, START, upgrade_by_child=True) as world:
            _prepare(world)
            maintenance = Maintenance(world.service.runtime)
            figures = {}
            for day in range(1, days + 1):
                world.live_until(START + timedelta(days=day), STEP)
                maintenance.clean_up(world.clock.now())
                figures[day] = _resident_mb()
        shown = [day for day in (1, 2, 3, 5, 10, 15, 20, 25, days) if day <= days]
        print("; ".join(f"day {day}: {figures[day]:.1f} MiB" for day in shown))
        print(f"from day 2 to day {days}: {figures[days] - figures[2]:+.1f} MiB; runs: {len(_lines(home))}")
    finally:
        shutil.rmtree(home)


def _prepare(world: World) -> None:
    world.save(
        schedule("daily", "5 3 * * *"),
        *(schedule(f"every{number}", f"{number} * * * *") for number in range(0, 48, 2)),
    )
    with world.store.write() as session:
        for number in range(0, 48, 2):
            schedules.pause(session, f"every{number}", "not here", START)
    for trigger in create_default_triggers():
        schedule_service.save_trigger(world.store, trigger, START)
    world.start()


def _resident_mb() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _lines(home: Path) -> list[str]:
    return (home / "ledger.txt").read_text().splitlines()


if __name__ == "__main__":
    main()
