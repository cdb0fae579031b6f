"""The first process of a PID name space (a container without an init) inherits every orphan, and must reap them."""

import os
from collections.abc import Collection

from runner.worker.tree import process_table

LOOK_INTERVAL_S = 5.0
GRACE_S = 10.0
"""Whoever of us has started a process waits for it sooner than this: what is left after that is nobody's."""


class Orphans:
    """Reaps what others have left to us; does nothing where we are not the first process.

    Args:
        inherits: whether orphans come to this process; None: it is the first one.
    """

    def __init__(self, *, inherits: bool | None = None, grace_s: float = GRACE_S) -> None:
        self._inherits = os.getpid() == 1 if inherits is None else inherits
        self._grace_s = grace_s
        self._seen_at_s: dict[int, float] = {}
        """The dead children at the last look, by when they were first seen."""
        self._looked_at_s = float("-inf")

    def reap(self, workers: Collection[int], monotonic_s: float) -> int:
        """Reap the dead that nobody waits for; how many they were.

        Args:
            workers: our own children whose end somebody will ask for, however late.
            monotonic_s: the time.
        """
        if not self._inherits or monotonic_s - self._looked_at_s < min(LOOK_INTERVAL_S, self._grace_s):
            return 0
        self._looked_at_s = monotonic_s
        own = os.getpid()
        dead = {pid for pid, entry in process_table().items() if entry.parent == own and entry.ended}
        dead.difference_update(workers)
        self._seen_at_s = {pid: self._seen_at_s.get(pid, monotonic_s) for pid in dead}
        ripe = [pid for pid, seen_at_s in self._seen_at_s.items() if monotonic_s - seen_at_s >= self._grace_s]
        return sum(_reaped(pid) for pid in ripe)


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # somebody waited for it after all
        return False
