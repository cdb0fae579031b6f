"""A daemon in a control group that has too little memory for a run's child: `daemon_oom.py GROUP HOME`; tells the rows.

The daemon enters the group itself, so that its workers are born into it.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon_world import World, schedule
from sqlalchemy import text

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
ROWS = text("SELECT status, failure_class, error_message FROM executions")


def main(group: Path, home: Path) -> None:
    """One run, to its end."""
    (group / "cgroup.procs").write_text(str(os.getpid()))
    with World(home, START) as world:
        world.save(schedule("hourly", "0 * * * *", job="feeds_a_child_too_much", retry_on_failure=False))
        world.start()
        world.clock.advance(timedelta(hours=1))
        world.turn_until(lambda: world.lines("pigeon.txt"), "the run's end")
        with world.store.read() as session:
            print(json.dumps([list(row) for row in session.execute(ROWS)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
