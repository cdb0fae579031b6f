"""One of several daemons of one database, with a state folder of its own: `daemon_pair.py HOME CLOCK`.

It stands by until it leads, goes on from the instant in the file CLOCK, which all of them share, and lives until the
file `enough` lies beside that; prints `leads` when it takes over and `done` at the end.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon_world import World, schedule

from runner.store import schedules
from schemas.automation import CatchUpPolicy
from schemas.errors import DatabaseAwayError, LeadershipLostError
from schemas.times import from_text

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
STEP = timedelta(minutes=20)
ENOUGH = "enough"
CRONS = {"often": "*/20 * * * *", "hourly": "5 * * * *"}


def say(word: str) -> None:
    print(word, flush=True)


def prepare(world: World) -> None:
    """The schedules, by the first that leads."""
    with world.store.read() as session:
        if schedules.ever_saved(session):
            return
    world.save(
        schedule("often", CRONS["often"], catch_up=CatchUpPolicy.ALL, catch_up_cap=1000, catch_up_window_hours=1000),
        schedule("hourly", CRONS["hourly"], job="fails_at_first", retry_backoff_s=60),
    )


def lead(home: Path, clock: Path) -> None:
    """From the moment at which this daemon leads, until it is enough or until it leads no more."""
    with World(home, START, clock_file=clock) as world:
        if clock.exists():
            world.clock.instant = from_text(clock.read_text())  # where the one before has come to
        say("leads")
        prepare(world)
        world.start()
        while not clock.with_name(ENOUGH).exists():
            world.live_until(world.clock.now() + STEP, STEP)
        world.live_until(world.clock.now(), STEP)


def main(home: Path, clock: Path) -> None:
    """Lead and stand by, as `ouroboros up` does."""
    while True:
        try:
            lead(home, clock)
        except (LeadershipLostError, DatabaseAwayError):
            say("stands by")
        else:
            say("done")
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
