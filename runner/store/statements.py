"""Statements that differ by the database's dialect, and the drivers' errors as ours."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Insert, Update

from schemas.errors import StateError
from schemas.postgresql import server_error
from schemas.sqlite_errors import busy, sqlite_error


@contextmanager
def typed_errors(where: str, busy_timeout_s: float) -> Iterator[None]:
    """Turn the driver's errors into ours; violated constraints and programming errors pass as they are.

    Raises:
        DatabaseBusyError: the lock did not come free within `busy_timeout_s`.
        DatabaseAwayError: its server does not answer.
        DatabaseFullError, DatabaseReadOnlyError, DatabaseDamagedError: as their names say.
        StateError: the database cannot be opened, read or written for another reason.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise busy(where, busy_timeout_s, "another thread of this process") from error
    except IntegrityError:
        raise
    except DBAPIError as error:
        fault = sqlite_error(error.orig, where, busy_timeout_s) or server_error(error.orig, where, busy_timeout_s)
        if fault is None and not isinstance(error, OperationalError):
            raise
        raise fault or StateError(f"the database refused: {error.orig}", where=where) from error
    except sqlite3.Error as error:
        fault = sqlite_error(error, where, busy_timeout_s)
        raise fault or StateError(f"the database refused: {error}", where=where) from error


Row = tuple[str | int | None, ...]


def insert_or_ignore(session: Session, table: Table) -> Insert:
    """An INSERT that passes over rows whose unique key is taken.

    Raises:
        StateError: the database's dialect has no such statement here.
    """
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite":
        return sqlite_insert(table).on_conflict_do_nothing()
    if dialect == "postgresql":
        # Here, because this dialect's modules cost a daemon on SQLite memory and start-up time for nothing.
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        # Else SQLAlchemy does not ask it how many rows there were.
        return postgresql_insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    raise StateError(f"the dialect {dialect} is not supported", remedy="Use SQLite or PostgreSQL.")


def execute_prepared(session: Session, statement: Insert | Update, keys: Sequence[str], rows: list[Row]) -> int:
    """One prepared statement with many rows of values that are as the database holds them, in the order of `keys`: no
    value is looked at on the way. How many rows were touched.

    Args:
        statement: its parameters are named by `keys`, in any order.
    """
    connection = session.connection()
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(keys))
    order = compiled.positiontup
    if order is None:
        return rows_changed(
            connection.exec_driver_sql(str(compiled), [dict(zip(keys, row, strict=True)) for row in rows])
        )
    if list(order) != list(keys):
        places = [keys.index(key) for key in order]
        rows = [tuple(row[place] for place in places) for row in rows]
    return rows_changed(connection.exec_driver_sql(str(compiled), rows))


def rows_changed(result: object) -> int:
    """How many rows an INSERT, UPDATE or DELETE touched."""
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


def foreign_key_errors(connection: Connection) -> list[str]:
    """Rows that point at nothing, in words (SQLite only; other databases enforce always)."""
    if connection.dialect.name != "sqlite":
        return []
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    return [f"{table} row {rowid} points at a missing row of {parent}" for table, rowid, parent, _ in rows]
