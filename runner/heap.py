"""Memory that the C library keeps: one heap for all threads, and free pages given back. Elsewhere than on glibc nothing
happens."""

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8
"""malloc.h: see mallopt(3)."""


def share_one_heap() -> None:
    """One heap for all threads that are started from now on (mallopt(3)).

    By default glibc gives each thread that allocates a heap of its own, which stays when the thread has ended: threads
    that do a turn of work now and then leave megabytes behind that nobody uses.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Memory that is free goes back to the machine, after work that took much for a moment (malloc_trim(3))."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
