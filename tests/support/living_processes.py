"""Whether a process still lives: one that ended a moment ago is no error, and one nobody has waited for is dead."""

import psutil


def lives(pid: int) -> bool:
    """Whether a process of this number runs."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
