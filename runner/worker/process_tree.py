"""Which processes belong to a run, how all of them are ended, and who reaps what nobody waits for: the first process
of a PID name space (a container without an init) inherits every orphan.

Three nets, because a process can slip out of each one:
- descendants: everything below the worker. The worker is a child subreaper, so while it lives, orphans of any depth,
  double-forked and `setsid` ones included, hang below it again.
- session: everything in the session the worker leads. It holds when the worker has died and its orphans went to init.
- mark: everything that carries the run's mark in its environment. It holds for `setsid` orphans of a dead worker.
Not caught: a process that left the session *and* cleared its environment *and* lost its worker.
"""

import os
import signal
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from runner.worker.identity import boot_id, send_signal, stat_fields
from schemas.execution import ProcessIdentity

MARK_VARIABLE = "OUROBOROS_RUN_MARK"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
"""Clock ticks of `/proc` in a second."""
_MAX_PASSES = 50
LOOK_INTERVAL_S = 5.0
GRACE_S = 10.0
"""Whoever of us has started a process waits for it sooner than this: what is left after that is nobody's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the process table."""

    pid: int
    parent: int
    session: int
    start_ticks: int
    ended: bool
    """A zombie: it only waits to be reaped."""
    cpu_time_s: float
    """Its own time and that of the children it has reaped."""


@dataclass(frozen=True, slots=True)
class Root:
    """What a run's processes are known by."""

    worker: ProcessIdentity
    mark: str
    """Value of `MARK_VARIABLE` in the environment of the worker and what it starts: its run folder's path."""


def sees_own_processes() -> bool:
    """Whether /proc counts processes as we do; in a PID name space without a /proc of its own it does not, and what a
    run leaves behind cannot be found."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115 - a number, not a place
    except OSError:
        return False


def process_table() -> dict[int, Entry]:
    """Every process of this machine (of this PID name space) by its number."""
    table = {}
    for pid in _numbers():
        fields = stat_fields(pid)
        if fields is not None:
            table[pid] = Entry(
                pid=pid,
                parent=int(fields[1]),
                session=int(fields[3]),
                start_ticks=int(fields[19]),
                ended=fields[0] in b"ZXx",
                cpu_time_s=sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_S,
            )
    return table


def members(root: Root, table: dict[int, Entry], *, by_mark: bool = False) -> list[Entry]:
    """The living processes of a run, the worker first when it is among them.

    Args:
        by_mark: also read every process's environment, for what left the session of a dead worker (slower: some
            10 microseconds for each process of the machine).
    """
    if root.worker.boot_id != boot_id():
        return []
    found = _descendants(root.worker, table)
    found.update(_session(root.worker, table))
    if by_mark:
        found.update(pid for pid in table if pid not in found and _carries(pid, root.mark))
    found.discard(os.getpid())  # a daemon started from within a run must never end itself
    alive = [table[pid] for pid in found if pid in table and not table[pid].ended]
    return sorted(alive, key=lambda entry: (entry.pid != root.worker.pid, entry.start_ticks, entry.pid))


def terminate(root: Root) -> None:
    """TERM the worker, or, when it has died, whatever it left behind.

    Only the worker while it lives: it knows in which order its children must go, and KILL follows for all of them.
    """
    if send_signal(root.worker, signal.SIGTERM):
        return
    for entry in members(root, process_table(), by_mark=True):
        _send(entry, signal.SIGTERM)


def kill_all(root: Root) -> list[int]:
    """KILL every process of the run; the numbers of those not yet gone at the last look (dying, or in
    uninterruptible sleep).

    The worker goes last: while it lives it gathers the orphans, so that none slips away between two looks. Repeated
    until a look finds nobody new, for processes that fork while they are being ended.
    """
    struck: set[tuple[int, int]] = set()
    for _ in range(_MAX_PASSES):
        fresh = [
            entry
            for entry in members(root, process_table(), by_mark=True)
            if (entry.pid, entry.start_ticks) not in struck
        ]
        others = [entry for entry in fresh if entry.pid != root.worker.pid]
        batch = others or fresh
        if not batch:
            break
        for entry in batch:
            _send(entry, signal.SIGKILL)
            struck.add((entry.pid, entry.start_ticks))
    return [entry.pid for entry in members(root, process_table(), by_mark=True)]


def _send(entry: Entry, signal_number: int) -> None:
    send_signal(ProcessIdentity(boot_id=boot_id(), pid=entry.pid, start_ticks=entry.start_ticks), signal_number)


def _numbers() -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - thousands of names; Path objects cost more than the look
        if name.isdigit():
            yield int(name)


def _descendants(worker: ProcessIdentity, table: dict[int, Entry]) -> set[int]:
    root = table.get(worker.pid)
    if root is None or root.start_ticks != worker.start_ticks:
        return set()
    children: dict[int, list[int]] = {}
    for entry in table.values():
        children.setdefault(entry.parent, []).append(entry.pid)
    found, waiting = {worker.pid}, [worker.pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _session(worker: ProcessIdentity, table: dict[int, Entry]) -> set[int]:
    # The kernel gives a number away again only when no process has it as its session. So a stranger with the
    # worker's number means that the worker's session is empty, and what stands in a session of that number is his.
    holder = table.get(worker.pid)
    if holder is not None and holder.start_ticks != worker.start_ticks:
        return set()
    return {entry.pid for entry in table.values() if entry.session == worker.pid}


def _carries(pid: int, mark: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as handle:  # noqa: PTH123 - one for each process of the machine
            return os.fsencode(f"{MARK_VARIABLE}={mark}") in handle.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # gone, or another user's: then it is no run of ours


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
