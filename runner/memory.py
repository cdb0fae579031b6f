"""How glibc keeps a daemon's memory: one heap for all threads, and what is free goes back to the machine.

By default each thread that allocates gets a heap of its own, which stays when the thread has ended: threads that do a
turn of work now and then leave megabytes behind that nobody uses. On another C library both do nothing.
"""

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8
"""malloc.h: see mallopt(3)."""


def share_one_heap() -> None:
    """For threads that are started from now on."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """After work that took much for a moment (malloc_trim(3))."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
