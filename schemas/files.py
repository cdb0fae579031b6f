"""Files that are whole or absent: temporary name, fsync, rename."""

import errno
import os
import stat
import subprocess
import sys
import uuid
from pathlib import Path
from typing import BinaryIO

_NO_FOLDERS = (errno.EINVAL, errno.EBADF)
"""What some file systems (shared folders of virtual machines) answer to an fsync of a folder: they know none."""

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems without hard links answer (exFAT, shared folders of virtual machines)."""
_COPY = "import os, shutil, sys; shutil.copyfile(*sys.argv[1:]); os.fsync(os.open(sys.argv[2], os.O_RDWR))"

_OF_THE_MOMENT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM}


def is_of_the_moment(error: OSError) -> bool:
    """Whether an error says nothing of the file that was to be read: no descriptor or memory was left, or no right."""
    return error.errno in _OF_THE_MOMENT


def write_atomic(path: Path, content: bytes | str, *, private: bool = False) -> None:
    """Replace `path` by `content`, so that a reader, or a kill at any moment, sees the old file or the new one.

    The temporary file stands beside the target (a rename across file systems would copy), its name begins with a
    dot and ends in `.tmp`: readers skip those. The folder is fsynced too, or the rename itself could be lost.

    Args:
        private: only its owner may read it.

    Raises:
        OSError: the folder is missing or full; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    # Of a long name only the beginning: the temporary one must not be too long for the file system.
    temporary = path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb", opener=_open_private if private else None) as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file to read it, without waiting: a pipe that nobody writes to would hold up whoever asks.

    Raises:
        OSError (IsADirectoryError among them): it is none, or cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is no plain file", str(path))


def give_second_name(path: Path, second: Path) -> None:
    """Let a file be found under a second name too; where the file system has no hard links, a synced copy of it.

    A process of its own copies: closing a file lets go of every lock that this process holds on it, SQLite's too.

    Raises:
        OSError (FileExistsError among them): there is such a name already, or the folder is full; nothing is left of
            a copy.
    """
    try:
        os.link(path, second)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(second):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(second)) from error
        _copy_apart(path, second)


def _copy_apart(path: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name[:40]}.{uuid.uuid4().hex}.tmp")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _COPY, path, temporary], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise OSError(errno.EIO, (done.stderr.strip().splitlines() or ["the copy was killed"])[-1], str(target))
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_folder(target.parent)


def inode_of(status: os.stat_result) -> int:
    """A file's number, as one that a database can hold: file systems in user space and over a network use all 64 bits,
    a database's numbers have a sign."""
    return status.st_ino - (1 << 64) if status.st_ino >= 1 << 63 else status.st_ino


def fsync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDERS:
            raise
    finally:
        os.close(descriptor)
