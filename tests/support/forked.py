"""Children forked from a test: a new interpreter with torch costs seconds, a fork milliseconds."""

import os
import sys
import traceback
from collections.abc import Callable


def forked(work: Callable[[], object]) -> int:
    """The process id of a child that does `work`, which alone it shares with the test: whatever ends it ends the child.

    One that came back out would be a second copy of the test runner, telling results over the first one's connection.

    Returns:
        to be waited for: exit code 0, or 1 where the work raised, with its traceback in the test's output.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - SystemExit and an interrupt must end here too
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
