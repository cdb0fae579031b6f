"""One life of a daemon as a process of its own: `python daemon_life.py HOME SPAN_HOURS POINT NTH`.

Lives through the simulated time from START to START + SPAN_HOURS, going on from where an earlier life was killed, and
kills itself with SIGKILL at POINT (`-`: never).
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon_world import World, die_at, schedule

from runner.flow.command_arguments import TriggerArguments, Verb
from runner.store import commands, schedules
from schemas.automation import CatchUpPolicy

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
STEP = timedelta(minutes=30)
NAMES = ("hourly", "often")


def prepare(world: World) -> None:
    """The schedules, a dropped file and a command: once."""
    with world.store.read() as session:
        if schedules.ever_saved(session):
            return
    world.save(
        schedule("hourly", "0 * * * *", catch_up=CatchUpPolicy.ALL, catch_up_cap=100),
        schedule("often", "*/30 * * * *", job="fails_at_first", retry_backoff_s=60),
    )


def ask_once(world: World) -> None:
    """A command and a drop, the first time only."""
    marker = world.home / "asked"
    if marker.exists():
        return
    marker.touch()
    with world.store.write() as session:
        arguments = TriggerArguments(name="hourly", note="by hand")
        commands.enqueue(session, Verb.TRIGGER.value, arguments, "a test", world.clock.now())
    folder = world.service.settings.triggers_dir
    (folder / "good.json").write_text(json.dumps({"schedule": "hourly", "note": "dropped"}))
    (folder / "bad.json").write_text(json.dumps({"schedule": "nosuch"}))


def main(home: Path, span_hours: float, point: str, nth: int) -> None:
    """Live."""
    reach = None if point == "-" else die_at(point, nth)
    with World(home, START, reach=reach) as world:
        prepare(world)
        world.start()
        ask_once(world)
        world.live_until(START + timedelta(hours=span_hours), STEP)
        world.turn_until(lambda: list((world.service.settings.triggers_dir / "archived").glob("*.txt")), "the archive")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
