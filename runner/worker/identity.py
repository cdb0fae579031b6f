"""Who a process is beyond doubt, and whether that one still lives."""

import os
import signal
from functools import cache
from pathlib import Path

from schemas.errors import WorkerError
from schemas.execution import ProcessIdentity

_PROC = Path("/proc")
_DEAD_STATES = frozenset("ZXx")
"""A zombie has ended: only its parent has not yet asked how."""


@cache
def boot_id() -> str:
    """This boot's name: process ids and start ticks mean nothing across boots.

    Raises:
        WorkerError: the machine has no `/proc` (workers need Linux).
    """
    path = _PROC / "sys/kernel/random/boot_id"
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise WorkerError(
            f"cannot tell processes apart: {error.strerror}", where=str(path), remedy="Workers need Linux with /proc."
        ) from error


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of the process that has number `pid` now; None when there is none (a zombie still counts here:
    the process just started may already have ended, and its parent must be able to name it)."""
    fields = stat_fields(pid)
    return None if fields is None else ProcessIdentity(boot_id=boot_id(), pid=pid, start_ticks=int(fields[19]))


def own_identity() -> ProcessIdentity:
    """This process.

    Raises:
        WorkerError: `/proc` does not show it.
    """
    identity = identity_of(os.getpid())
    if identity is None:
        raise WorkerError("/proc does not show this process", where=f"pid {os.getpid()}", remedy="Mount /proc.")
    return identity


def stat_fields(pid: int) -> list[bytes] | None:
    """Fields 3 and onward of `/proc/PID/stat` (so index 0 is the state, 19 the start ticks); None: no such process.

    The command's name (field 2) may hold spaces and brackets, hence the search from the right. Where /proc hides the
    processes of others (mount option `hidepid`), they are none of ours.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:  # noqa: PTH123 - read thousands of times a minute
            content = handle.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return content[content.rindex(b")") + 2 :].split()


def is_alive(identity: ProcessIdentity) -> bool:
    """True while exactly this process lives: same boot, same number, same start, and no zombie."""
    if identity.boot_id != boot_id():
        return False
    fields = stat_fields(identity.pid)
    if fields is None:
        return False
    return int(fields[19]) == identity.start_ticks and fields[0].decode() not in _DEAD_STATES


def send_signal(identity: ProcessIdentity, signal_number: int) -> bool:
    """Signal exactly this process, never one that took over its number. False: it is gone, or not ours to signal."""
    try:
        # The order matters: the pidfd pins whoever has the number now, and only then is the identity compared.
        # Compared first, the number could change hands before the signal is sent.
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(descriptor, signal_number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True
