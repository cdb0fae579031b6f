"""Whether the open database is still the file at its path, and how one on a read-only disk is read.

A file that is removed or replaced stays open: what is written goes to a file that nobody can find any more, and a
connection that is opened later goes to another one. So the file is known by device and inode from the start.
"""

import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runner.store.sqlite_connections import as_text
from schemas.errors import StateError


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """A file, whatever happens to its name."""

    path: Path
    device: int
    inode: int

    @staticmethod
    def of(path: Path) -> "FileIdentity":
        """The file that lies there now.

        Raises:
            OSError: none does.
        """
        seen = path.stat()
        return FileIdentity(path, seen.st_dev, seen.st_ino)

    def trouble(self) -> str:
        """What became of it: "", `removed` or `replaced by another file`. One system call."""
        try:
            seen = self.path.stat()
        except FileNotFoundError:
            return "removed"
        except OSError:
            return ""  # the disk does not answer just now: whatever uses the file will say so
        same = (seen.st_dev, seen.st_ino) == (self.device, self.inode)
        return "" if same else "replaced by another file"

    def check(self) -> None:
        """For a connection that was opened a moment ago.

        Raises:
            StateError: it may have opened another file.
        """
        if trouble := self.trouble():
            raise StateError(
                f"the database was {trouble} while it was in use",
                where=str(self.path),
                remedy="Stop the daemon first, then replace the file.",
            )


def may_not_be_written(path: Path) -> bool:
    """The file's folder takes no write-ahead log: a disk that is mounted read-only, or somebody else's folder."""
    return not os.access(path.parent, os.W_OK)


def connect_read_only(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Read a database whose folder may not be written, its write-ahead log included.

    Where a daemon elsewhere has it open (its log and shared memory lie there), SQLite reads it as it stands. Else it
    could not make the shared memory: a file without a log is read as one that nobody changes, and one with a log is
    copied with it to a temporary folder, which is gone once it is open.

    Raises:
        sqlite3.Error: it cannot be read that way either.
        StateError: there is no room for the copy.
    """
    try:
        return _tried(f"{path.as_uri()}?mode=ro", busy_timeout_s)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN or not path.exists():
            raise
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or log.stat().st_size == 0:
        return _tried(f"{path.as_uri()}?mode=ro&immutable=1", busy_timeout_s)
    try:
        with tempfile.TemporaryDirectory(prefix="ouroboros-history-") as folder:
            copy = Path(folder) / path.name
            shutil.copy(path, copy)
            shutil.copy(log, copy.with_name(log.name))
            return _tried(f"{copy.as_uri()}?mode=rw", busy_timeout_s)
    except OSError as error:
        raise StateError(
            f"a read-only database with an unfinished log cannot be copied to be read: {error.strerror}",
            where=str(path),
            remedy="Name a folder with room in TMPDIR.",
        ) from error


def _tried(uri: str, busy_timeout_s: float) -> sqlite3.Connection:
    """Opened, and read once: SQLite opens on first use."""
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    connection.text_factory = as_text
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
