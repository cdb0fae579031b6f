"""The cap of a worker's log: whatever a run prints, its beginning and its end are kept, within a size.

While the worker writes, the middle of its log is given back to the file system (`fallocate(2)`, a hole): nothing is
moved, so nothing that is being written can be lost. Once it has ended, the log is made whole: head, a line that counts
what was left out, tail.
"""

import ctypes
import errno
import os
import re
from pathlib import Path

_HEAD_SHARE, _TAIL_SHARE = 0.25, 0.5
"""Of the cap: what is kept at a cut. The rest is room to write on before the next one."""
_PAGE_BYTES = 65536
_BLOCK_BYTES = 512
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_NO_HOLES = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_CUT_ALIVE = 4
"""Where the file system has no holes: how many caps a log may hold before it is cut under the worker's hands."""
_NOTICE = re.compile(rb"\n\[\.\.\. (\d+) bytes were left out here; workers\.log_max_mb caps this log \.\.\.\]\n")
_NOTICE_BYTES = 200


def cap_log(path: Path, most_bytes: int, *, ended: bool) -> None:
    """See to it that a log holds no more than `most_bytes` of the disk; one below that is left alone.

    Args:
        ended: nobody writes to it any more.

    Raises:
        OSError: it cannot be read or cut; a kill at any moment leaves one that is too long at worst.
    """
    try:
        known = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if known.st_size <= most_bytes or (not ended and known.st_blocks * _BLOCK_BYTES <= most_bytes):
        return
    head, keep = int(most_bytes * _HEAD_SHARE), int(most_bytes * _TAIL_SHARE)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if ended or (not _punched(descriptor, head, known.st_size - keep) and known.st_size > _CUT_ALIVE * most_bytes):
            _cut(descriptor, head, keep)
    finally:
        os.close(descriptor)


def _punched(descriptor: int, begin: int, end: int) -> bool:
    """Give the room between the two offsets back; False where the file system cannot."""
    begin, end = -(-begin // _PAGE_BYTES) * _PAGE_BYTES, end // _PAGE_BYTES * _PAGE_BYTES
    if end <= begin:
        return True
    library = ctypes.CDLL(None, use_errno=True)
    fallocate = getattr(library, "fallocate64", None) or library.fallocate
    place, length = ctypes.c_longlong(begin), ctypes.c_longlong(end - begin)
    if fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, place, length) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_HOLES:
        return False
    raise OSError(number, os.strerror(number))


def _cut(descriptor: int, head: int, keep: int) -> None:
    """Head, notice, tail, in place: what is appended in this instant belongs to what is left out."""
    size = os.fstat(descriptor).st_size
    left_out, begin = _left_out_before(descriptor, head)
    tail = _whole_lines(os.pread(descriptor, keep, size - keep))
    left_out += size - len(tail) - begin
    notice = b"\n[... %d bytes were left out here; workers.log_max_mb caps this log ...]\n" % left_out
    os.ftruncate(descriptor, head + os.pwrite(descriptor, notice + tail, head))


def _left_out_before(descriptor: int, head: int) -> tuple[int, int]:
    """What an earlier cut left out, and where the text after its notice begins."""
    match = _NOTICE.match(os.pread(descriptor, _NOTICE_BYTES, head))
    return (int(match[1]), head + match.end()) if match else (0, head)


def _whole_lines(tail: bytes) -> bytes:
    """Without the rest of a line whose beginning is cut off; one endless line is kept as it is."""
    _, newline, rest = tail.partition(b"\n")
    return rest if newline and rest else tail
