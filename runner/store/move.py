"""A whole history from one database into another, of the same kind or not: in pieces, each a transaction, so that a
move that was ended goes on where it stood; counted and compared at the end, and only then open to a daemon.

Until then the target's revision is a mark of this very move, which every other command refuses.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    collate,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DataError

from runner.store.engine import Store
from runner.store.migrate import stored_revision
from schemas.database import HEAD
from schemas.errors import StateError

PIECE_ROWS = 2_000
_MARK = "moving-"
_REVISION = "alembic_version"
_MADE_WITH_IT = "totals"
"""The one table that an upgrade leaves with a row."""
Told = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class MovedTable:
    """One table, the same on both sides."""

    name: str
    rows: int
    sha256: str
    """Of all values in the order of the key."""


def refuse_unfit(source: Store, target: Store, target_revision: str | None) -> None:
    """Look whether `source` can be moved into `target`, which is at `target_revision`.

    Raises:
        StateError: they are one database, the source is of another version, or the target holds something else than
            what an earlier try of this move has left.
    """
    if source.where == target.where:
        raise StateError("source and target are the same database", where=target.where, remedy="Name another one.")
    found = stored_revision(source)
    if found != HEAD:
        raise StateError(
            f"the source is at revision {found or 'none'}, this version needs {HEAD}",
            where=source.where,
            remedy="`ouroboros up` or `ouroboros init` brings it up to date first.",
        )
    if target_revision in (None, _mark_of(source)):
        return
    if target_revision != HEAD or _holds_rows(target):
        raise StateError(
            "the target is not empty",
            where=target.where,
            remedy="Name an empty database (`createdb NAME`), or a file that is not there yet.",
        )


def move(source: Store, target: Store, told: Told = lambda _table, _rows: None) -> list[MovedTable]:
    """Copy all of `source` into `target`, which is empty and of this version, or holds what an earlier try left. Nobody
    may write either meanwhile.

    Args:
        told: the table and how many of its rows are there, after each piece.

    Raises:
        StateError: a database cannot be used; or the two differ in the end, by what else wrote the source meanwhile.
    """
    with source.look() as reading:
        pairs = _copy_all(reading, source, target, told)
    with source.look() as reading:  # another snapshot: what was written meanwhile is found
        moved = [_compared(reading, target, table, into) for table, into in pairs]
        _carry_counters(reading, target)
    _mark(target, HEAD)
    return moved


def copy_snapshot(source: Store, target: Store) -> list[MovedTable]:
    """As `move`, into a new database, of one moment: others may go on writing the source.

    Raises:
        StateError: a database cannot be used.
    """
    with source.look() as reading:
        pairs = _copy_all(reading, source, target, lambda _table, _rows: None)
        moved = [_compared(reading, target, table, into) for table, into in pairs]
        _carry_counters(reading, target)
    _mark(target, HEAD)
    return moved


def _copy_all(reading: Connection, source: Store, target: Store, told: Told) -> list[tuple[Table, Table]]:
    """Every table, on both sides."""
    tables = _tables(reading)
    with target.look() as connection:
        targets = {table.name: table for table in _tables(connection)}
    if missing := [table.name for table in tables if table.name not in targets]:
        raise StateError(f"the target has no table {missing[0]}", where=target.where)
    _mark(target, _mark_of(source), clear=_MADE_WITH_IT)
    for table in tables:
        _copy(reading, target, table, targets[table.name], told)
    return [(table, targets[table.name]) for table in tables]


def _mark_of(source: Store) -> str:
    return _MARK + hashlib.sha256(source.where.encode()).hexdigest()[:16]


def _holds_rows(store: Store) -> bool:
    with store.look() as connection:
        others = [table for table in _tables(connection) if table.name != _MADE_WITH_IT]
        return any(connection.execute(select(table).limit(1)).first() is not None for table in others)


def _tables(connection: Connection) -> list[Table]:
    """All but the revision's, parents before children."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != _REVISION]


def _mark(target: Store, revision: str, clear: str = "") -> None:
    with target.write() as session:
        connection = session.connection()
        found = connection.exec_driver_sql(f"SELECT version_num FROM {_REVISION}").scalar_one()  # noqa: S608
        if found == revision:
            return
        if clear:
            connection.exec_driver_sql(f"DELETE FROM {clear}")  # noqa: S608 - our names
        connection.exec_driver_sql(f"UPDATE {_REVISION} SET version_num = '{revision}'")  # noqa: S608


def _copy(reading: Connection, target: Store, table: Table, into: Table, told: Told) -> None:
    """What is not there yet, by the key, which only grows; a column that refers to the same table comes afterwards."""
    later = _own_reference(table)
    last, there = _reached(target, into)
    for piece in _pieces(reading, table, last):
        rows = [_as_held(row._mapping, into) for row in piece]
        _put(target, into, [row | ({later: None} if later else {}) for row in rows])
        there += len(rows)
        told(table.name, there)
    if later:
        _refer(reading, target, table, into, later)


def _put(target: Store, into: Table, rows: list[dict[str, Any]]) -> None:
    try:
        with target.write() as session:
            session.execute(insert(into), rows)
    except DataError as error:  # a zero byte in a text, say, which SQLite takes and PostgreSQL does not
        key = _key(into).name
        raise StateError(
            f"a row of {into.name} between {key} {rows[0][key]} and {rows[-1][key]} holds what the target cannot take:"
            f" {error.orig}",
            where=target.where,
            remedy="Mend it in the source (`ouroboros db export FOLDER` shows it), and move again.",
        ) from error


def _refer(reading: Connection, target: Store, table: Table, into: Table, column: str) -> None:
    """Let the rows refer to others of their table, now that all are there."""
    key = _key(table).name
    referring = select(table.c[key], table.c[column]).where(table.c[column].is_not(None)).order_by(table.c[key])
    for piece in reading.execute(referring).partitions(PIECE_ROWS):
        with target.write() as session:
            connection = session.connection()
            for number, other in piece:
                connection.execute(update(into).where(into.c[key] == number).values({column: other}))


def _reached(target: Store, into: Table) -> tuple[Any, int]:
    """The greatest key that is there, and how many rows."""
    with target.look() as connection:
        key = _in_order(_key(into), connection)
        last = connection.execute(select(_key(into)).order_by(key.desc()).limit(1)).scalar()
        return last, connection.execute(select(func.count()).select_from(into)).scalar_one()


def _pieces(connection: Connection, table: Table, last: Any) -> Iterator[Any]:
    key = _in_order(_key(table), connection)
    wanted = select(table).order_by(key)
    if last is not None:
        wanted = wanted.where(key > last)
    yield from connection.execution_options(stream_results=True).execute(wanted).partitions(PIECE_ROWS)


def _in_order(key: Column[Any], connection: Connection) -> ColumnElement[Any]:
    """Text by its bytes, as SQLite has it, whatever language a server was made for."""
    if connection.dialect.name == "postgresql" and key.type.python_type is str:
        return collate(key, "C")
    return key


def _key(table: Table) -> Column[Any]:
    (key,) = table.primary_key.columns
    return key


def _own_reference(table: Table) -> str:
    """The column that refers to another row of the same table; "": none does."""
    return next((key.parent.name for key in table.foreign_keys if key.column.table is table), "")


def _as_held(row: Any, into: Table) -> dict[str, Any]:
    return {
        column.name: bool(row[column.name])
        if isinstance(column.type, Boolean) and row[column.name] is not None
        else row[column.name]
        for column in into.columns
    }


def _compared(reading: Connection, target: Store, table: Table, into: Table) -> MovedTable:
    rows, sha256 = _digest(reading, table)
    with target.look() as connection:
        there, other = _digest(connection, into)
    if (rows, sha256) != (there, other):
        raise StateError(
            f"the table {table.name} has {rows} rows in the source and {there} in the target, or others",
            where=target.where,
            remedy="Something wrote one of them meanwhile. Empty the target, stop whatever writes, and move again.",
        )
    return MovedTable(table.name, rows, sha256)


def _digest(connection: Connection, table: Table) -> tuple[int, str]:
    digest, rows = hashlib.sha256(), 0
    names = sorted(column.name for column in table.columns)
    for piece in _pieces(connection, table, None):
        for row in piece:
            values = [row._mapping[name] for name in names]
            plain = [int(value) if isinstance(value, bool) else value for value in values]
            digest.update(json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        rows += len(piece)
    return rows, digest.hexdigest()


def _carry_counters(reading: Connection, target: Store) -> None:
    """Ids go on where they stood: a folder or a mail of a row that was removed long ago must not be met again."""
    counters = dict(_COUNTERS[reading.dialect.name](reading))
    with target.write() as session:
        connection = session.connection()
        for table, last in counters.items():
            for statement in _SET_COUNTER[connection.dialect.name]:
                connection.exec_driver_sql(statement.format(table=table, last=int(last)))


def _sqlite_counters(connection: Connection) -> list[tuple[str, int]]:
    return [(name, last) for name, last in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")]


def _postgresql_counters(connection: Connection) -> list[tuple[str, int]]:
    found = connection.exec_driver_sql(
        "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL "
        "AND schemaname = current_schema()"
    )
    return [(name.removesuffix("_id_seq"), last) for name, last in found]


_COUNTERS = {"sqlite": _sqlite_counters, "postgresql": _postgresql_counters}
_SET_COUNTER = {
    "sqlite": (
        "DELETE FROM sqlite_sequence WHERE name = '{table}'",
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {last})",
    ),
    "postgresql": ("SELECT setval('{table}_id_seq', {last})",),
}
