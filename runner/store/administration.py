"""`ouroboros db`: is the database sound, a copy of it, its content for other programs."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.orm import Session

from runner.store import migrate
from runner.store.engine import Store
from runner.store.states import OccurrenceState
from runner.store.tables import ExecutionRow, OccurrenceRow
from schemas.database import HEAD
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
    size_bytes = store.size_bytes()
    try:
        problems = store.integrity()
        revision = migrate.stored_revision(store)
    except DatabaseDamagedError as error:
        return CheckReport((str(error),), None, (), size_bytes)
    if revision != HEAD:
        problems.append(f"the database is at revision {revision}, this version at {HEAD}: `ouroboros up`")
        return CheckReport(tuple(problems), revision, (), size_bytes)
    problems += migrate.drift(store)
    with store.read() as session:
        problems += _contradictions(session)
        rows = [(table, _count(session.connection(), table)) for table in _tables(session.connection())]
    return CheckReport(tuple(problems), revision, tuple(rows), size_bytes)


def export(store: Store, folder: Path, export_format: ExportFormat) -> list[Path]:
    """Write every table to `folder/TABLE.jsonl` or `.csv`, all from one moment; each file is whole or absent.

    Raises:
        StateError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with store.read() as session:
            connection = session.connection()
            return [_export_table(connection, table, folder, export_format) for table in _tables(connection)]
    except OSError as error:
        raise StateError(f"cannot export: {error.strerror}", where=str(folder), remedy="Check its space.") from error


_SHOWN_WHOLE = {"occurrence_rows": "occurrences", "execution_rows": "executions"}
"""Tables in whose place their views are counted and written out."""


def _tables(connection: Connection) -> list[str]:
    """All of ours in the database, those of the work too: whose code this package never loads."""
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    return sorted(_SHOWN_WHOLE.get(name, name) for name in names)


def _count(connection: Connection, table: str) -> int:
    quoted = connection.dialect.identifier_preparer.quote(table)
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}").scalar_one())  # noqa: S608 - our names


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


def _export_table(connection: Connection, table: str, folder: Path, export_format: ExportFormat) -> Path:
    target = folder / f"{table}.{export_format}"
    partial = folder / f".{target.name}.{os.getpid()}.tmp"
    names = [column["name"] for column in inspect(connection).get_columns(table)]
    try:
        with partial.open("w", encoding="utf-8", newline="") as handle:
            rows = _raw_rows(connection, table, names)
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


def _raw_rows(connection: Connection, table: str, names: list[str]) -> Iterator[tuple[Any, ...]]:
    """Values as the database holds them, instants and JSON as text, in the order of the key, which comes first."""
    quoted = connection.dialect.identifier_preparer
    columns = ", ".join(quoted.quote(name) for name in names)
    result = connection.exec_driver_sql(f"SELECT {columns} FROM {quoted.quote(table)} ORDER BY 1")  # noqa: S608 - our names
    for row in result.yield_per(1000):
        yield tuple(row)


def _write_json_lines(handle: IO[str], names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    for row in rows:
        line = {
            name: _parsed(value) if name.endswith("_json") and value is not None else value
            for name, value in zip(names, row, strict=True)
        }
        handle.write(json.dumps(line, ensure_ascii=False) + "\n")


def _parsed(text: str) -> Any:
    """What is no JSON (a row damaged, or edited by hand) is written out as it stands: it must not end the export."""
    try:
        return json.loads(text)
    except ValueError:
        return text
