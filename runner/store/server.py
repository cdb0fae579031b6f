"""How a PostgreSQL server is opened for the store, and all SQL that only it understands. Imported for such a URL alone:
its dialect would cost a daemon on SQLite five megabytes.

The rules are SQLite's, so that no room of this package need know which database it stands on: a transaction that may
write holds one lock from its start to its end, whoever else writes; a reader sees one snapshot and waits for nobody.
"""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError

from runner.store.database_url import server_parameters
from schemas import postgresql
from schemas.postgresql import isolation_levels

_TAKE_WRITERS_LOCK = f"SELECT pg_advisory_xact_lock({postgresql.WRITERS[0]}, {postgresql.WRITERS[1]})"
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
    if writes:
        event.listen(engine, "begin", _take_writers_lock)
    return engine


def snapshot_of(connection: Connection) -> str:
    """Which transactions are visible now: two equal answers, and not a row has changed in between."""
    return str(connection.exec_driver_sql(_SNAPSHOT).scalar_one())


def size_bytes(connection: Connection) -> int:
    """Of the whole database on the server's disk."""
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def _take_writers_lock(connection: Connection) -> None:
    connection.exec_driver_sql(_TAKE_WRITERS_LOCK)
