"""Many lives of one daemon, each ended by SIGKILL at a random moment: `daemon_lives.py HOME SEED KILLS DAYS`.

A life is a fork of this process, which has everything imported: it costs milliseconds, not a second. Life number n may
bring the simulated clock forward to n KILLS-ths of the whole time and then turns on until it is killed, so that the
kills are spread over all of it; most of them come a random while after it has. Now and then a file is dropped before a
life. The last life ends in good order. Prints what was counted, as JSON.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon_audit import audit, audit_drops
from daemon_world import World, schedule

from runner.store import schedules
from schemas.automation import CatchUpPolicy
from schemas.errors import DatabaseAwayError, LeadershipLostError, TransientStateError
from schemas.files import write_atomic
from schemas.times import from_text

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
STEP = timedelta(minutes=45)
CRONS = {"third": "0 */3 * * *", "daily": "30 2 * * *"}
MEAN_LIFE_S = 0.25
EARLY_KILLS = 0.3
"""This share of the kills does not wait until the life has caught up: it hits starts and recoveries."""
CATCH_UP_S = 60.0
DROPS_A_LIFE = 0.06


def prepare(world: World) -> None:
    """The schedules, in the first life that gets so far."""
    with world.store.read() as session:
        if schedules.ever_saved(session):
            return
    world.save(
        schedule("third", CRONS["third"], catch_up=CatchUpPolicy.ALL, catch_up_cap=1000, catch_up_window_hours=1000),
        schedule("daily", CRONS["daily"], job="fails_at_first", retry_backoff_s=60),
    )


def live(home: Path, end: datetime, *, until_killed: bool) -> None:
    """One life, going on where a server that went away in the middle of a start is back."""
    while True:
        try:
            _live(home, end, until_killed=until_killed)
        except (DatabaseAwayError, LeadershipLostError):
            continue
        return


def _live(home: Path, end: datetime, *, until_killed: bool) -> None:
    with World(home, START) as world:
        prepare(world)
        world.start()
        world.live_until(end, STEP)
        while until_killed:
            world.turn()
            time.sleep(0.005)
        folder = world.service.settings.triggers_dir
        world.turn_until(lambda: not list(folder.glob("claimed/*")), "the archive of every dropped file")


def forked(home: Path, end: datetime, *, until_killed: bool) -> int:
    """Begin a life in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        live(home, end, until_killed=until_killed)
        code = 0
    except BaseException:  # noqa: BLE001 - told, and the exit code tells the parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def kill_at(pid: int, moment: Callable[[], bool]) -> None:
    """SIGKILL the life at that moment.

    Raises:
        AssertionError: it ended by itself before.
    """
    while not moment():
        found, status = os.waitpid(pid, os.WNOHANG)
        assert not found, f"a life ended by itself: wait status {status}"
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def random_moment(dice: random.Random, clock: Path, caught_up_at: datetime) -> Callable[[], bool]:
    """A random while after the life has caught up with the one before; or, often enough, after its birth."""
    patience_s, end_s = dice.expovariate(1 / MEAN_LIFE_S), time.monotonic() + CATCH_UP_S
    started_s = time.monotonic() if dice.random() < EARLY_KILLS else None

    def is_over() -> bool:
        nonlocal started_s
        if started_s is None:
            late = time.monotonic() > end_s
            if late or (clock.exists() and from_text(clock.read_text()) >= caught_up_at):
                started_s = time.monotonic()
            return False
        return time.monotonic() - started_s >= patience_s

    return is_over


def main(home: Path, seed: int, kills: int, days: float) -> None:
    """All lives, then the audit."""
    dice = random.Random(seed)
    whole, drops, began_s = timedelta(days=days), 0, time.monotonic()
    triggers = home / "triggers"
    triggers.mkdir(parents=True)
    prepared = home / "simulated_now"
    for number in range(1, kills + 1):
        if prepared.exists() and dice.random() < DROPS_A_LIFE:
            drops += 1
            write_atomic(triggers / f"drop-{number}.json", json.dumps({"schedule": "third"}))
        moment = random_moment(dice, home / "simulated_now", START + whole * ((number - 1) / kills))
        kill_at(forked(home, START + whole * (number / kills), until_killed=True), moment)
    _, status = os.waitpid(forked(home, START + whole, until_killed=False), 0)
    assert status == 0, f"the last life failed: wait status {status}"
    end = from_text((home / "simulated_now").read_text())
    counted = {"seed": seed, "kills": kills, "days": days, "wall_s": round(time.monotonic() - began_s)}
    counted |= once_the_server_stays(lambda: audit(home, CRONS, START, end) | audit_drops(home, drops))
    print(json.dumps(counted))


def once_the_server_stays(audited: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the audit says; a server that is killed while it reads is waited for, and read again from the beginning."""
    end_s = time.monotonic() + CATCH_UP_S
    while True:
        try:
            return audited()
        except TransientStateError:
            if time.monotonic() > end_s:
                raise
            threading.Event().wait(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
