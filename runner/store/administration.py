"""`ouroboros db`: is the database sound, a copy of it, its content for other programs."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.orm import Session

from runner.store import migrate
from runner.store.engine import Store
from runner.store.states import OccurrenceState
from runner.store.tables import Base, ExecutionRow, OccurrenceRow
from schemas.errors import DatabaseDamagedError, StateError
from schemas.files import fsync_folder


class ExportFormat(StrEnum):
    """How a table is written out."""

    JSONL = "jsonl"
    """One object a line; JSON columns are objects in it."""
    CSV = "csv"
    """With a header line; JSON columns are text."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` found."""

    problems: tuple[str, ...]
    """Empty: the database is sound."""
    revision: str | None
    rows: tuple[tuple[str, int], ...]
    """Table and count."""
    size_bytes: int


def check(store: Store) -> CheckReport:
    """Look at structure, foreign keys, revision, schema and the rows' own logic. Changes nothing.

    Raises:
        StateError: there is no database, or it cannot be opened.
        DatabaseNewerError: it is another program's.
    """
    size_bytes = store.path.stat().st_size if store.path and store.path.exists() else 0
    try:
        problems = store.integrity()
        revision = migrate.stored_revision(store)
    except DatabaseDamagedError as error:
        return CheckReport((str(error),), None, (), size_bytes)
    if revision != migrate.HEAD:
        problems.append(f"the database is at revision {revision}, this version at {migrate.HEAD}: `ouroboros up`")
        return CheckReport(tuple(problems), revision, (), size_bytes)
    with store.look() as connection:
        problems += migrate.drift(connection)
    with store.read() as session:
        problems += _contradictions(session)
        tables = Base.metadata.sorted_tables
        rows = [(table.name, session.scalar(select(func.count()).select_from(table)) or 0) for table in tables]
    return CheckReport(tuple(problems), revision, tuple(rows), size_bytes)


def backup(store: Store, target: Path) -> Path:
    """A whole copy of the last committed state, taken while the daemon goes on, and checked before it is named done.

    Raises:
        StateError: `target` exists or cannot be written, or the copy is not sound (it is removed then).
    """
    target = target.absolute()
    store.copy_to(target)
    copy = Store(f"sqlite:///{target}", store.busy_timeout_s)
    try:
        problems = copy.integrity()
    finally:
        copy.close()
    if problems:
        target.unlink()
        raise StateError(f"the copy is not sound: {problems[0]}", where=str(target), remedy="See `ouroboros db check`.")
    return target


def export(store: Store, folder: Path, export_format: ExportFormat) -> list[Path]:
    """Write every table to `folder/TABLE.jsonl` or `.csv`, all from one moment; each file is whole or absent.

    Raises:
        StateError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with store.read() as session:
            tables = Base.metadata.sorted_tables
            return [_export_table(session.connection(), table, folder, export_format) for table in tables]
    except OSError as error:
        raise StateError(f"cannot export: {error.strerror}", where=str(folder), remedy="Check its space.") from error


def _contradictions(session: Session) -> list[str]:
    """A running occurrence has one execution under way, and none has one otherwise."""
    under_way = (
        select(ExecutionRow.occurrence_id, func.count().label("attempts"))
        .where(ExecutionRow.completed_at.is_(None))
        .group_by(ExecutionRow.occurrence_id)
        .subquery()
    )
    rows = session.execute(
        select(OccurrenceRow.id, OccurrenceRow.state, func.coalesce(under_way.c.attempts, 0))
        .join(under_way, under_way.c.occurrence_id == OccurrenceRow.id, isouter=True)
        .where((OccurrenceRow.state == OccurrenceState.RUNNING) | (under_way.c.attempts > 0))
    )
    return [
        f"occurrence {occurrence_id} is {state} with {attempts} executions under way"
        for occurrence_id, state, attempts in rows
        if (state is OccurrenceState.RUNNING) != (attempts == 1)
    ]


def _export_table(connection: Connection, table: Table, folder: Path, export_format: ExportFormat) -> Path:
    target = folder / f"{table.name}.{export_format}"
    partial = folder / f".{target.name}.{os.getpid()}.tmp"
    names = [column.name for column in table.columns]
    try:
        with partial.open("w", encoding="utf-8", newline="") as handle:
            rows = _raw_rows(connection, table)
            if export_format is ExportFormat.CSV:
                writer = csv.writer(handle)
                writer.writerow(names)
                writer.writerows(rows)
            else:
                _write_json_lines(handle, names, rows)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    fsync_folder(folder)
    return target


def _raw_rows(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Values as the database holds them: instants and JSON as text."""
    quoted = connection.dialect.identifier_preparer
    columns = ", ".join(quoted.quote(column.name) for column in table.columns)
    result = connection.exec_driver_sql(f"SELECT {columns} FROM {quoted.quote(table.name)}")  # noqa: S608 - our names
    for row in result.yield_per(1000):
        yield tuple(row)


def _write_json_lines(handle: IO[str], names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    for row in rows:
        line = {
            name: json.loads(value) if name.endswith("_json") and value is not None else value
            for name, value in zip(names, row, strict=True)
        }
        handle.write(json.dumps(line, ensure_ascii=False) + "\n")
