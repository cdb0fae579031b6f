"""A daemon whose disk fills up: `daemon_full_disk.py FOLDER`, a small file system; tells what happened as JSON."""

import contextlib
import json
import sqlite3
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon_world import World, schedule

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fill(ballast: Path) -> None:
    """Until not one byte more goes in."""
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def main(folder: Path) -> None:
    """Two hours on a full disk, a restart on it too, then space again."""
    home, ballast = folder / "home", folder / "ballast"
    told: dict[str, object] = {}
    with World(home, START) as world:
        world.save(schedule("hourly", "0 * * * *", job="until_stopped"))
        world.start()
        world.clock.advance(HOUR)
        world.turn_until(lambda: world.lines("ledger.txt"), "a run under way")
        assert world.store.checkpoint()  # an empty log: not even a short transaction fits into what it holds already
        fill(ballast)
        # The clock's own file lies on the full disk: it moves in memory only.
        world.clock.instant += HOUR
        for _ in range(5):
            world.turn()
            time.sleep(0.05)
        told["status"] = world.daemon.status.value
        (run,) = world.daemon.steps.watch.runs.values()
        world.daemon.steps.watch.cancel_occurrence(run.execution.occurrence_id)
        world.turn_until(lambda: run.handle.exit_code is not None, "the end of the run")
        for _ in range(3):
            world.turn()
        ballast.unlink()
        (home / "let_it_end").touch()
        world.turn_until(lambda: world.is_quiet() and len(world.lines("pigeon.txt")) >= 2, "all done")
        world.turn()
        told["status afterwards"] = world.daemon.status.value
    connection = sqlite3.connect(home / "automation_tracking.db")
    told["occurrences"] = connection.execute("SELECT scheduled_for, state FROM occurrences ORDER BY id").fetchall()
    told["executions"] = connection.execute("SELECT status FROM executions ORDER BY id").fetchall()
    told["alerts"] = connection.execute("SELECT COUNT(*) FROM outbox WHERE kind = 'alert'").fetchone()[0]
    told["unsent"] = connection.execute("SELECT COUNT(*) FROM outbox WHERE state != 'sent'").fetchone()[0]
    told["errors"] = connection.execute("SELECT last_error FROM loops WHERE last_error IS NOT NULL").fetchall()
    told["sound"] = connection.execute("PRAGMA integrity_check").fetchone()[0]
    told["pigeon"] = [line[0] for line in (line.split() for line in (home / "pigeon.txt").read_text().splitlines())]
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
