"""How the worker process ends, for the parent that reaps it. A result file says more, where there is one."""

from enum import IntEnum


class WorkerExit(IntEnum):
    """Exit codes of `python -m runner.worker.child`."""

    SUCCEEDED = 0
    """A result was written, and it is a success."""
    NOT_SUCCEEDED = 1
    """A result was written that says why."""
    USAGE = 2
    """Started by hand with the wrong arguments."""
    CLAIM_LOST = 73
    """Somebody else has the run: nothing was done."""
    NO_CLAIM = 74
    """The claim could not be written: nothing was done."""
    NO_RESULT = 75
    """The work ended, but its result could not be written."""
