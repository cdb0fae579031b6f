"""One worker of a kind per folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import FolderInUseError, MachineError


@contextmanager
def held(folder: Path, who: str) -> Iterator[None]:
    """Hold the folder, creating it if need be; the kernel lets go when the process ends, however it ends.

    Args:
        who: what works there, as a person calls it ("tuner").

    Raises:
        FolderInUseError: another one holds it; names its process.
        MachineError: the folder cannot be created or written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MachineError(
            f"the {who}'s folder cannot be written: {error.strerror}",
            where=str(folder),
            remedy="Free some space, or choose another state folder with OUROBOROS_HOME.",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise FolderInUseError(
                f"another {who} (process {holder}) already works in this folder",
                where=str(folder),
                remedy="Stop it first, or give this one a state folder of its own with OUROBOROS_HOME.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
