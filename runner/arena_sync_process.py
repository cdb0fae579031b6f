"""`python -m runner.arena_sync_process`: one synchronisation with the public Arena, in a process of its own.

The settings come as a line on standard input, which stays open: its end means that the daemon has gone, and ends this
process too. The report goes to standard output. What does the work is an entry point of group `ouroboros.sources`: the
daemon's package never imports it.
"""

import os
import sys
import threading
from collections.abc import Callable
from importlib.metadata import entry_points

from schemas.errors import OuroborosError
from schemas.ladder import SyncReport
from schemas.outside_text import REASON_LIMIT, error_line, line, to_json
from schemas.settings import Settings

SOURCE_GROUP = "ouroboros.sources"
NICE = 10


def main() -> None:
    """Read the settings, synchronise, write the report."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    os.nice(NICE)
    settings = Settings.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_daemon, daemon=True).start()
    os.write(answer_to, to_json(_report(settings)).encode())
    os._exit(0)  # a call that hangs has a thread of its own, which must keep nothing


def _report(settings: Settings) -> SyncReport:
    try:
        return _source()(settings)
    except OuroborosError as error:
        return SyncReport(trouble=line(str(error), REASON_LIMIT))
    except Exception as error:  # noqa: BLE001 - the daemon tells of it
        return SyncReport(trouble=error_line(error))


def _source() -> Callable[[Settings], SyncReport]:
    for point in entry_points(group=SOURCE_GROUP, name="arena"):
        found: Callable[[Settings], SyncReport] = point.load()
        return found
    raise LookupError(f"nothing is installed that can ask the Arena (entry point arena of group {SOURCE_GROUP})")


def _end_with_the_daemon() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
