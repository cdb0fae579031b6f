"""The history on a PostgreSQL server, for the readers of `rows`: psycopg alone, since SQLAlchemy would cost the web
process more memory than all of its pages."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, Full, LifoQueue
from typing import Any

from runner.web.read.database import BUSY_S, READERS
from runner.web.read.rows import Found, Row, Rows
from schemas import postgresql
from schemas.database import HEAD
from schemas.errors import BadInputError, NothingThereError, StateError

LIMIT_S = 15.0
"""For a statement of a page: whoever looks at it has gone by then."""
_RESTED_S = 1.0
"""A connection that was not used for so long is asked first whether its server is still there."""
_WRITERS_LOCK = f"SELECT pg_advisory_xact_lock({postgresql.WRITERS[0]}, {postgresql.WRITERS[1]})"


class ServerDatabase:
    """One database on a server. Safe to use from several threads at once.

    Args:
        url: `storage.database_url`, of PostgreSQL.

    Raises:
        SettingsError: the URL cannot be used, or the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._given, self.where = postgresql.parameters_of(url)
        self._idle: LifoQueue[_Held] = LifoQueue(READERS)
        self._watcher: Any = None
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[Rows]:
        """See `History.snapshot`."""
        with self._reading(of_this_version=True) as rows:
            yield rows

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """See `History.writing`. It holds the writers' lock, as the daemon does."""
        connection = None
        try:
            with self._faults():
                connection = self._open("pages, writer")
                connection.isolation_level = postgresql.isolation_levels().READ_COMMITTED
                connection.execute(_WRITERS_LOCK)
                yield _Statements(connection)
                connection.commit()
        finally:
            _let_go(connection)  # without a commit the server takes all of it back

    def version(self) -> int | str | None:
        """See `History.version`: which transactions are visible."""
        with suppress(StateError):
            return None if self._closed else str(self._watch("SELECT pg_current_snapshot()::text")[0])
        return None

    def is_led(self) -> bool:
        """Whether a daemon leads this database, from whatever machine; also one that is just making its tables.

        Raises:
            StateError: it cannot be found out.
        """
        with self._reading(of_this_version=False) as rows:
            return rows.execute(postgresql.HOLDER).fetchone() is not None

    def close(self) -> None:
        """See `History.close`."""
        self._closed = True
        watcher, self._watcher = self._watcher, None
        _let_go(watcher)
        while (held := self._kept()) is not None:
            _let_go(held.connection)

    @contextmanager
    def _reading(self, *, of_this_version: bool) -> Iterator[Rows]:
        held: _Held | None = None
        try:
            with self._faults():
                held = self._current()
                if of_this_version and not held.is_checked:
                    self._check_revision(held.connection)
                    held.is_checked = True
                yield _Statements(held.connection)
                held.connection.rollback()
                held.used_s = time.monotonic()
        except BaseException:
            _let_go(held and held.connection)  # a connection that failed is not used again
            raise
        try:
            self._idle.put_nowait(held)
        except Full:
            _let_go(held.connection)
        if self._closed:
            self.close()

    def _watch(self, statement: str) -> Any:
        try:
            with self._faults():
                if self._watcher is None:
                    self._watcher = self._open("pages, watcher")
                    self._watcher.autocommit = True
                return self._watcher.execute(statement).fetchone()
        except StateError:
            watcher, self._watcher = self._watcher, None
            _let_go(watcher)
            raise

    def _kept(self) -> "_Held | None":
        try:
            return self._idle.get_nowait()
        except Empty:
            return None

    def _current(self) -> "_Held":
        """A connection whose server answers, for reading; one that was kept, where there is one."""
        while (held := self._kept()) is not None:
            if time.monotonic() - held.used_s < _RESTED_S or _answers(held.connection):
                return held
            _let_go(held.connection)
        connection = self._open("pages")
        connection.isolation_level = postgresql.isolation_levels().REPEATABLE_READ
        connection.read_only = True
        return _Held(connection)

    def _open(self, purpose: str) -> Any:
        try:
            return postgresql.connect(purpose, self._given, busy_timeout_s=BUSY_S, limit_s=LIMIT_S)
        except ImportError as error:
            raise postgresql.driver_missing(self.where, error) from error

    def _check_revision(self, connection: Any) -> None:
        known = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()[0]
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
        connection.rollback()
        if found is None or found[0] != HEAD:
            told = "nothing has run here yet" if found is None else f"the database is at revision {found[0]}"
            raise StateError(
                f"{told}, this version needs {HEAD}", where=self.where, remedy="`ouroboros up` makes or upgrades it."
            )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if type(error).__name__ == "NumericValueOutOfRange":
                raise NothingThereError("no row has a number as large as that") from error
            if type(error).__name__ == "DataError" and type(error).__module__.startswith("psycopg"):
                raise BadInputError(f"the database cannot hold this: {error}", where=self.where) from error
            fault = postgresql.server_error(error, self.where, BUSY_S)
            if fault is None and type(error).__module__.startswith("psycopg"):
                fault = StateError(f"the database refused: {error}", where=self.where)
            if fault is None:
                raise
            raise fault from error


@dataclass
class _Held:
    """A connection for reading."""

    connection: Any
    used_s: float = 0.0
    is_checked: bool = False
    """The database is known to be of this version."""


class _Statements:
    """A transaction of psycopg's as `Rows`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Found:
        """None of our statements holds a `?` or a `%` that stands for itself beside values."""
        cursor = self._connection.cursor(row_factory=_by_name)
        words = statement.replace("%", "%%").replace("?", "%s") if values else statement
        found: Found = cursor.execute(words, tuple(values) or None)
        return found


class _NamedRow:
    """See `rows.Row`: iterated, it gives its values, as `sqlite3.Row` does; `keys` gives the columns."""

    __slots__ = ("_places", "_values")

    def __init__(self, values: Sequence[Any], places: Mapping[str, int]) -> None:
        self._values, self._places = values, places

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._places[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> Iterable[str]:
        """Of the columns, in order."""
        return self._places.keys()


def _by_name(cursor: Any) -> Callable[[Sequence[Any]], Row]:
    """psycopg's row factory."""
    places = {column.name: place for place, column in enumerate(cursor.description or ())}
    return lambda values: _NamedRow(values, places)


def _answers(connection: Any) -> bool:
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception:  # noqa: BLE001 - whatever it is, another connection is opened
        return False
    return True


def _let_go(connection: Any) -> None:
    if connection is not None:
        connection.close()
