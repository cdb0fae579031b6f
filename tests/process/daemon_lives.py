"""Many lives of one daemon, each ended by SIGKILL at a random moment: `daemon_lives.py HOME SEED KILLS DAYS`.

A life is a fork of this process, which has everything imported: it costs milliseconds, not a second. Life number n may
bring the simulated clock forward to n KILLS-ths of the whole time and then turns on until it is killed, so that the
kills are spread over all of it. Now and then a file is dropped before a life. The last life ends in good order.
Prints what was counted, as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon_audit import audit, audit_drops
from daemon_world import World, schedule

from runner.store import schedules
from schemas.automation import CatchUpPolicy
from schemas.files import write_atomic

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
STEP = timedelta(minutes=45)
CRONS = {"third": "0 */3 * * *", "daily": "30 2 * * *"}
MEAN_LIFE_S = 0.4
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
    """One life."""
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
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended_before(pid: int, deadline_s: float) -> int | None:
    """The wait status of a life that ended by itself; None when its time is up."""
    while time.monotonic() < deadline_s:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(0.002)
    return None


def main(home: Path, seed: int, kills: int, days: float) -> None:
    """All lives, then the audit."""
    dice = random.Random(seed)
    whole, drops, began_s = timedelta(days=days), 0, time.monotonic()
    triggers = home / "triggers"
    triggers.mkdir(parents=True)
    prepared = home / "automation_tracking.db"
    for number in range(1, kills + 1):
        if prepared.exists() and dice.random() < DROPS_A_LIFE:
            drops += 1
            write_atomic(triggers / f"drop-{number}.json", json.dumps({"schedule": "third"}))
        patience_s = dice.expovariate(1 / MEAN_LIFE_S)
        pid = forked(home, START + whole * (number / kills), until_killed=True)
        status = ended_before(pid, time.monotonic() + patience_s)
        assert status is None, f"life {number} ended by itself: wait status {status}"
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    _, status = os.waitpid(forked(home, START + whole, until_killed=False), 0)
    assert status == 0, f"the last life failed: wait status {status}"
    end = datetime.fromisoformat((home / "simulated_now").read_text())
    counted = {"seed": seed, "kills": kills, "days": days, "wall_s": round(time.monotonic() - began_s)}
    counted |= audit(home, CRONS, START, end) | audit_drops(home, drops)
    print(json.dumps(counted))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
