"""What a trigger file says, and whether somebody still writes it: a writer that takes its time is waited for, not cut
short."""

import errno
import fcntl
import os
import signal
from pathlib import Path

from pydantic import ValidationError

from schemas.automation import NAME_PATTERN, FileRequest
from schemas.outside_text import REASON_LIMIT, line, read_json
from schemas.settings import describe

MAX_BYTES = 1_000_000
_UNKNOWN = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ELOOP)


def read_request(data: bytes, *, is_json: bool) -> FileRequest:
    """The request in a file's content.

    Args:
        data: the whole file.
        is_json: it must hold a JSON object; else it may also be empty, or name a schedule.

    Raises:
        ValueError: it says nothing we understand; the message is for the person who wrote it, on one line.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text: byte {error.start} is {data[error.start]:#04x}") from error
    if is_json or text.startswith("{"):
        return _from_json(text)
    if not text:
        return FileRequest()
    try:
        return FileRequest(schedule=text)
    except ValidationError as error:
        raise ValueError(
            f"{line(text, 60)!r} is neither empty, nor a schedule's name ({NAME_PATTERN}), nor a JSON object"
        ) from error


def _from_json(text: str) -> FileRequest:
    tree = read_json(text)
    if not isinstance(tree, dict):
        raise ValueError(f"a JSON object is needed, this is a {type(tree).__name__}")  # noqa: TRY004
    try:
        return FileRequest.model_validate(tree)
    except ValidationError as error:
        raise ValueError(line(describe(error), REASON_LIMIT)) from error


def open_for_writing(path: Path) -> bool:
    """True while a process of this machine has the file open for writing; False also where the kernel does not tell
    (another user's file, a network file system).

    It asks for a read lease, which Linux grants only where nobody writes (fcntl(2), "Leases"), and gives it back at
    once. Whoever opens the file in between waits for that, and we are told by SIGURG, which nobody acts upon; SIGIO,
    the default, would end the process.

    Raises:
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return True
        if error.errno not in _UNKNOWN:
            raise
    finally:
        os.close(descriptor)
    return False
