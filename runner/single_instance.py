"""One daemon per state folder and per database, by locks that the kernel releases whatever becomes of the process.

Two folders may name one database, and one folder may be reached by many paths: the database's lock lies beside the file
itself, links followed, so that whoever comes to the file comes to its lock.
"""

import fcntl
import json
import os
import socket
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from schemas.errors import StateError
from schemas.times import to_text

LOCK_NAME = "daemon.lock"
DATABASE_LOCK_SUFFIX = ".lock"
LET_GO_S = 10.0
LOOK_S = 0.05


def lock_of(home: Path, database: Path | None) -> Path:
    """The file whose lock says whether a daemon serves this database; the state folder's, where it is no file."""
    if database is None:
        return home / LOCK_NAME
    real = database.resolve()
    return real.with_name(real.name + DATABASE_LOCK_SUFFIX)


def refuse_second_name(database: Path) -> None:
    """A file with two names in two folders would have two locks, and two write-ahead logs, which damages it.

    Raises:
        StateError: the database has another name (a hard link).
    """
    if database.exists() and database.stat().st_nlink > 1:
        raise StateError(
            "the database has a second name, a hard link: SQLite loses data when both are used",
            where=str(database),
            remedy="Remove the other name (`find / -xdev -samefile FILE` shows it); use a symbolic link instead.",
        )


class SingleInstanceLock:
    """Held from `__enter__` to `__exit__`; a second holder is told who has it.

    The file stays behind on purpose: removing it would let two processes lock two different files of one name.

    Args:
        path: the lock file.
        home: the state folder of whoever takes the lock; the next one is told.
        guarded: what it stands for, in words.
    """

    def __init__(self, path: Path, home: Path, guarded: str, now: datetime) -> None:
        self._path = path
        self._home = home
        self._guarded = guarded
        self._now = now
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StateError: another daemon holds it, or the folder cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+")
        except OSError as error:
            raise StateError(
                f"cannot take the lock of the {self._guarded}: {error.strerror}",
                where=str(self._path.parent),
                remedy="Check its owner and its disk, or name another one with OUROBOROS_HOME.",
            ) from error
        if not self._take(self._file):
            self._file.close()
            raise StateError(
                f"another daemon already serves this {self._guarded}: {describe_holder(self._path)}",
                where=str(self._path),
                remedy="Use `ouroboros status`, stop it with `ouroboros stop`, or choose another OUROBOROS_HOME"
                " (and storage.database_url, where it is set).",
            )
        self._file.truncate(0)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": to_text(self._now)}
        self._file.write(json.dumps({**holder, "home": str(self._home.absolute())}) + "\n")
        self._file.flush()
        return self

    def _take(self, file: IO[str]) -> bool:
        """Two holders are waited for, as they let go in a moment. One is whoever asks `is_held`, sharing the lock. The
        other is a worker on its way, of a daemon that was killed: it lets go as soon as it is a program of its own."""
        deadline_s = time.monotonic() + LET_GO_S
        while not _locked(file, fcntl.LOCK_EX):
            shared = _locked(file, fcntl.LOCK_SH)
            if shared:
                fcntl.flock(file, fcntl.LOCK_UN)
            if time.monotonic() > deadline_s or (not shared and _holder_lives(self._path)):
                return False
            time.sleep(LOOK_S)
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


def is_held(path: Path) -> bool:
    """True while some process holds the lock file `path`. Leaves nothing behind.

    Raises:
        StateError: its folder is somebody else's, and closed to us.
    """
    try:
        with path.open() as file:
            return not _locked(file, fcntl.LOCK_SH)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StateError(
            f"cannot look into the state folder: {error.strerror}",
            where=str(path),
            remedy="Ask as the user whom the daemon runs as, or name another folder with OUROBOROS_HOME.",
        ) from error


def daemon_is_running(home: Path, database: Path | None) -> bool:
    """True while a daemon serves this database, from whatever state folder.

    Raises:
        StateError: as `is_held`.
    """
    return is_held(lock_of(home, database))


def _locked(file: IO[str], how: int) -> bool:
    """Lock at once or not at all."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder_lives(path: Path) -> bool:
    """Whether the process that the lock file names is there; True also where that cannot be told."""
    try:
        holder = json.loads(path.read_text())
        return holder["host"] != socket.gethostname() or Path(f"/proc/{int(holder['pid'])}").exists()
    except (OSError, ValueError, KeyError, TypeError):
        return True


def describe_holder(path: Path) -> str:
    """Who wrote the lock file, in words."""
    try:
        holder = json.loads(path.read_text())
        home = f", from the state folder {holder['home']}" if "home" in holder else ""
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}{home}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not yet written its name"
