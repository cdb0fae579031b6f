"""How a PostgreSQL server is opened for the store, and all SQL that only it understands. Imported for such a URL alone:
its dialect would cost a daemon on SQLite five megabytes.

The rules are SQLite's, so that no room of this package need know which database it stands on: a transaction that may
write holds one lock from its start to its end, whoever else writes; a reader sees one snapshot and waits for nobody.
"""

import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from runner.store.database_url import server_parameters
from schemas import postgresql
from schemas.postgresql import isolation_levels

_TAKE_WRITERS_LOCK = f"SELECT pg_advisory_xact_lock({postgresql.WRITERS[0]}, {postgresql.WRITERS[1]})"
_USED_S = "used_s"
_RESTED_S = 1.0
_SNAPSHOT = "SELECT pg_current_snapshot()::text"


def server_engine(
    url: URL, purpose: str, *, busy_timeout_s: float, limit_s: float, writes: bool, **pool: Any
) -> Engine:
    """An engine whose connections have a deadline for everything.

    Args:
        purpose: shown in the server's list of connections.
        busy_timeout_s: how long to wait for another writer.
        limit_s: how long a statement may take.
        writes: each transaction takes the writers' lock at its start; else it reads one snapshot and cannot write.

    Raises:
        SettingsError: the driver is not installed.
    """
    where = url.render_as_string(hide_password=True)
    try:
        engine = create_engine(url, **pool)
    except (ImportError, NoSuchModuleError) as error:
        raise postgresql.driver_missing(where, error) from error

    def connect(*_of_the_dialect: object) -> Any:
        connection = postgresql.connect(purpose, server_parameters(url), busy_timeout_s=busy_timeout_s, limit_s=limit_s)
        levels = isolation_levels()
        connection.isolation_level = levels.READ_COMMITTED if writes else levels.REPEATABLE_READ
        connection.read_only = not writes
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _seen_alive)
    if writes:
        event.listen(engine, "begin", _take_writers_lock)
    return engine


class SnapshotWatcher:
    """Asks which transactions are visible: two equal answers, and not a row has changed in between. One short question
    on a connection that is in no transaction."""

    def __init__(self, url: URL, busy_timeout_s: float) -> None:
        self._url, self._busy_timeout_s = url, busy_timeout_s
        self._connection: Any = None

    def snapshot(self) -> str:
        """Which they are.

        Raises:
            StateError: the server cannot be asked.
        """
        try:
            if self._connection is None:
                self._connection = postgresql.connect(
                    "watcher",
                    server_parameters(self._url),
                    busy_timeout_s=self._busy_timeout_s,
                    limit_s=postgresql.statement_limit_s(self._busy_timeout_s),
                )
                self._connection.autocommit = True
            return str(self._connection.execute(_SNAPSHOT).fetchone()[0])
        except Exception as error:
            self.close()
            where = self._url.render_as_string(hide_password=True)
            fault = postgresql.server_error(error, where, self._busy_timeout_s)
            if fault is None:
                raise
            raise fault from error

    def close(self) -> None:
        """Let the connection go; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def size_bytes(connection: Connection) -> int:
    """Of the whole database on the server's disk."""
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def _seen_alive(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """A connection that has rested is asked first: a server that was started again meanwhile is nobody's trouble."""
    now_s = time.monotonic()
    used_s, record.info[_USED_S] = record.info.get(_USED_S, now_s), now_s
    if now_s - used_s < _RESTED_S:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise DisconnectionError(str(error)) from error  # the pool opens another


def _take_writers_lock(connection: Connection) -> None:
    connection.exec_driver_sql(_TAKE_WRITERS_LOCK)
