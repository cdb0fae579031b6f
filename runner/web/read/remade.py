"""A database that holds nothing of its own: one that is damaged, or whose disk takes no more, is made anew."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from schemas.outside_text import NAME_LIMIT, error_line

_MEMORY = ":memory:"
_Found = TypeVar("_Found")
_log = logging.getLogger("ouroboros.web")


class RemadeDatabase:
    """Not safe for several threads at once.

    Args:
        path: its file; where it cannot be written, it is kept in memory.
        schema: statements that make its tables.
        version: of the schema; a file of another one is emptied.
    """

    def __init__(self, path: Path, schema: str, version: int) -> None:
        self._path = path
        self._schema = schema
        self._version = version
        self._db: sqlite3.Connection | None = None

    def ask(self, work: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """Work with it. One that fails is made anew in its file, then in memory, before that is an error.

        Raises:
            sqlite3.Error: `work` fails in an empty one too.
        """
        for where in (str(self._path), _MEMORY):
            try:
                return work(self._opened())
            except sqlite3.DatabaseError as error:
                _log.warning("%s is made anew: %s", self._path.name, error_line(error, NAME_LIMIT))
                self._make_anew(where)
        return work(self._opened())

    def change(self, work: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """As `ask`, in a transaction: all of it is done, or nothing."""

        def whole(database: sqlite3.Connection) -> _Found:
            database.execute("BEGIN")
            try:
                found = work(database)
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise
            return found

        return self.ask(whole)

    def close(self) -> None:
        """Let the file go."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _make_anew(self, where: str) -> None:
        self.close()
        with suppress(OSError, sqlite3.Error):
            for end in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)
            self._db = self._connected(where)

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._db = self._connected(str(self._path))
            except (OSError, sqlite3.Error):
                self._make_anew(str(self._path))
        if self._db is None:
            self._db = self._connected(_MEMORY)
        return self._db

    def _connected(self, where: str) -> sqlite3.Connection:
        database = sqlite3.connect(where, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -256")
        database.execute("PRAGMA foreign_keys = ON")
        if database.execute("PRAGMA user_version").fetchone()[0] != self._version:
            names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in sorted(names, reverse=True):
                database.execute(f'DROP TABLE "{name}"')
            database.executescript(f"BEGIN; {self._schema} PRAGMA user_version = {self._version}; COMMIT;")
