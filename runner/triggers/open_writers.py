"""Whether somebody still holds a file open for writing: a writer that takes its time is waited for, not cut short."""

import errno
import fcntl
import os
import signal
from pathlib import Path

_UNKNOWN = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ELOOP)


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
