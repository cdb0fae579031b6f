"""Connections for readers of an SQLite file, and short write transactions: the standard library's driver alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, Full, LifoQueue

from runner.store.opened_file import connect_read_only, may_not_be_written
from runner.store.sqlite_connections import as_text
from schemas.database import HEAD
from schemas.errors import NothingThereError, StateError
from schemas.sqlite_errors import sqlite_error

READERS = 3
"""Connections kept open, each with a cache of its own. More readers at once open theirs and close it again: those that
waited for each other's would wait for ever where each, inside its snapshot, takes a second."""
BUSY_S = 5.0
"""How long a writer waits for the daemon's transaction."""
_CACHE_KIB = 512
_Held = tuple[sqlite3.Connection, int]
"""A connection, and the inode of the file that it reads."""


class Database:
    """One SQLite file, which need not be there yet. Safe to use from several threads at once.

    Args:
        path: of the file.
        revision: what its table `alembic_version` must hold; "" for a file that has none (the tuner's ledger).
        maker: the command whose first work makes a file without revision.
    """

    def __init__(self, path: Path, revision: str = HEAD, maker: str = "") -> None:
        self.path = path
        self._revision, self._maker = revision, maker
        self._idle: LifoQueue[_Held] = LifoQueue(READERS)
        self._watcher: _Held | None = None
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One transaction that cannot write; its rows are `sqlite3.Row`.

        Raises:
            NothingThereError: there is no file yet, of one without revision; a number is larger than any row's.
            StateError: there is no database, it is of another version, or cannot be read.
        """
        if self._maker and not self.path.exists():
            raise NothingThereError(f"nothing of the kind is there yet: `{self._maker}` has not been used here")
        held = self._kept()
        try:
            with self._faults():
                held = self._current(held)
                held[0].execute("BEGIN")
                try:
                    yield held[0]
                finally:
                    held[0].execute("ROLLBACK")
        except StateError:
            _let_go(held)  # a connection that failed is not used again
            held = None
            raise
        finally:
            self._keep(held)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One short transaction that may write: committed at the end, rolled back if anything is raised.

        Raises:
            StateError: as `snapshot`; the database is busy, full or read-only.
        """
        with self._faults(), closing(self._open("rw")) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def version(self) -> int | str | None:
        """A number that changes with every commit of anybody; None while there is no database. For one caller only."""
        if self._closed:
            return None
        with suppress(StateError), self._faults():
            self._watcher = self._current(self._watcher)
            found: int = self._watcher[0].execute("PRAGMA data_version").fetchone()[0]
            return found
        _let_go(self._watcher)
        self._watcher = None
        return None

    def close(self) -> None:
        """Close the connections that are not in use; those that are, when they are given back."""
        self._closed = True
        _let_go(self._watcher)
        self._watcher = None
        while (held := self._kept()) is not None:
            _let_go(held)

    def _kept(self) -> _Held | None:
        try:
            return self._idle.get_nowait()
        except Empty:
            return None

    def _keep(self, held: _Held | None) -> None:
        try:
            if held is not None:
                self._idle.put_nowait(held)
        except Full:
            _let_go(held)
        if self._closed:
            self.close()

    def _current(self, held: _Held | None) -> _Held:
        """A connection to the file that lies at the path now: a restore puts another one there."""
        try:
            inode = self.path.stat().st_ino
        except OSError:
            inode = 0
        if held is not None and held[1] == inode:
            return held
        _let_go(held)
        connection = self._open("ro" if may_not_be_written(self.path) else "rw")
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._check_revision(connection)
        except BaseException:
            connection.close()
            raise
        return connection, inode

    def _open(self, mode: str) -> sqlite3.Connection:
        if mode == "ro":
            connection = connect_read_only(self.path, BUSY_S)
        else:
            uri = f"{self.path.absolute().as_uri()}?mode={mode}"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        connection.row_factory, connection.text_factory = sqlite3.Row, as_text
        return connection

    def _check_revision(self, connection: sqlite3.Connection) -> None:
        if not self._revision:
            return
        known = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
        if found is None or found[0] != self._revision:
            told = "nothing has run here yet" if found is None else f"the database is at revision {found[0]}"
            raise StateError(
                f"{told}, this version needs {self._revision}",
                where=str(self.path),
                remedy="`ouroboros up` makes or upgrades it.",
            )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            fault = sqlite_error(error, str(self.path), BUSY_S)
            raise fault or StateError(f"the database refused: {error}", where=str(self.path)) from error
        except OverflowError as error:
            raise NothingThereError("no row has a number as large as that") from error


def _let_go(held: _Held | None) -> None:
    if held is not None:
        held[0].close()
