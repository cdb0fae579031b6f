"""Lives of a daemon, each a process of its own; run as a program it is their cradle.

A life goes through the simulated time from START to START + SPAN_HOURS, on from where an earlier life was killed, and
kills itself with SIGKILL at a named point.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cradle import rock
from daemon_world import DATABASE_VARIABLE, World, die_at, empty_history, schedule

from runner.flow.command_arguments import TriggerArguments, Verb
from runner.store import commands, schedules
from schemas.automation import CatchUpPolicy

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
STEP = timedelta(minutes=30)
SPAN_HOURS = 1.0
CRONS = {"hourly": "0 * * * *", "often": "*/30 * * * *"}


def prepare(world: World) -> None:
    """The schedules, a dropped file and a command: once."""
    with world.store.read() as session:
        if schedules.ever_saved(session):
            return
    world.save(
        schedule("hourly", CRONS["hourly"], catch_up=CatchUpPolicy.ALL, catch_up_cap=100),
        schedule("often", CRONS["often"], job="fails_at_first", retry_backoff_s=60),
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


def live(home: str, point: str | None, nth: int, database: str) -> None:
    """One life, in this process, with its history in a file of its state folder or in another database."""
    os.environ[DATABASE_VARIABLE] = database
    reach = None if point is None else die_at(point, nth)
    with World(Path(home), START, reach=reach) as world:
        prepare(world)
        world.start()
        ask_once(world)
        world.live_until(START + timedelta(hours=SPAN_HOURS), STEP)
        world.turn_until(lambda: list((world.service.settings.triggers_dir / "archived").glob("*.txt")), "the archive")


if __name__ == "__main__":
    empty_history()
    rock(live)
