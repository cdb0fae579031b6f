"""Moves an SQLite database of revision 0001 to 0003 into a new file of revision 0004, a batch of rows at a time.

The old file is locked and only read, so that it is its own backup: at the end it keeps a second name, and the new file
takes its place in one rename. Killed at any moment, the old database is as it was, and the next call goes on with the
new file where the last batch ended. A new file has its page size from the first write on, and its rows lie densely.
"""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from migrations.disk_space import need_of, refuse_without_room
from runner.store.columns import STATE_BASE, USAGE_BASE, changes, to_microseconds
from runner.store.engine import Store
from runner.store.statements import typed_errors
from schemas.database import UpgradeProgress
from schemas.errors import DatabaseBusyError, StateError
from schemas.files import fsync_folder, give_second_name
from schemas.times import from_text

REBUILT = ("0001", "0002", "0003")
"""What is moved; every later revision is changed in place."""
TO = "0004"
BATCH = 10_000
_MOVED = {"occurrences": "occurrence_rows", "executions": "execution_rows"}
Row = dict[str, Any]
Progress = Callable[[UpgradeProgress], None]


def rebuild(store: Store, make_empty: Callable[[Path], None], backup: Path, progress: Progress) -> bool:
    """Bring the file behind `store` to revision `TO`; the old one is `backup` afterwards. False: another process was
    quicker.

    Args:
        make_empty: makes an empty database of revision `TO` at a path.
        progress: told before the first batch and after each one.

    Raises:
        DatabaseFullError: too little free disk; nothing was begun.
        DatabaseBusyError: another program has the database open, or upgrades it just now.
        StateError: rows are missing from the new file, or point nowhere; the old database is as it was.
    """
    assert store.path is not None
    path = store.path
    partial = path.with_name(f".{path.name}.upgrade-{TO}")
    # The header is closed last: whoever closes a file lets go of all locks that its process has on it, SQLite's too.
    with (
        typed_errors(store.where, store.busy_timeout_s),
        path.open("rb") as header,
        _locked(path, store.busy_timeout_s) as old,
    ):
        if old is None:
            return False
        need = need_of(old)
        refuse_without_room(path, need, partial)
        _resume_or_begin(old, _fingerprint(old, header.fileno()), partial, make_empty)
        with closing(_opened(partial)) as new:
            _copy_all(old, new, need, progress)
            _check(old, new, partial)
        _swap(path, partial, backup)
    return True


@contextmanager
def _locked(path: Path, busy_timeout_s: float) -> Iterator[sqlite3.Connection | None]:
    """The old file, held against every writer, its log emptied into it: the rename must not leave a log behind that
    belongs to no file. For that moment nobody else may have it open. None: it needs no move (any more)."""
    while True:
        inode = path.stat().st_ino
        old = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        try:
            old.row_factory = sqlite3.Row
            if old.execute("SELECT version_num FROM alembic_version").fetchone()[0] not in REBUILT:
                yield None
                return
            _leave_the_log(old, path)
            old.execute("BEGIN IMMEDIATE")
            if path.stat().st_ino == inode:  # else another process has just put a new file in its place
                yield old
                return
        finally:
            old.close()


def _leave_the_log(old: sqlite3.Connection, path: Path) -> None:
    try:
        old.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise DatabaseBusyError(
            "the database must be upgraded, and another program has it open",
            where=str(path),
            remedy="Nothing was changed. Close that program (`fuser FILE` shows it) and start again.",
        ) from error


def _opened(partial: Path) -> sqlite3.Connection:
    new = sqlite3.connect(partial, isolation_level=None)
    try:
        new.execute("PRAGMA journal_mode = WAL")
        new.execute("PRAGMA synchronous = NORMAL")
        new.execute("PRAGMA cache_size = -65536")
    except BaseException:
        new.close()  # nobody else knows it yet
        raise
    return new


def _resume_or_begin(old: sqlite3.Connection, state: str, partial: Path, make_empty: Callable[[Path], None]) -> None:
    """Keep what an earlier call copied of this very state; begin anew where the database has changed since."""
    if partial.exists():
        with closing(sqlite3.connect(partial, isolation_level=None)) as new:
            try:
                if new.execute("SELECT source FROM upgrade_source").fetchone() == (state,):
                    return
            except sqlite3.DatabaseError:
                pass  # killed before it was begun, or torn by a power cut
    for leftover in partial.parent.glob(f"{escape(partial.name)}*"):
        leftover.unlink()
    make_empty(partial)
    with closing(_opened(partial)) as new, _transaction(new):
        _drop_indexes(new)
        _copy_plain_tables(old, new)
        new.execute("CREATE TABLE upgrade_source (source TEXT)")
        new.execute("INSERT INTO upgrade_source VALUES (?)", (state,))


def _fingerprint(old: sqlite3.Connection, descriptor: int) -> str:
    """Changes with every committed transaction (a version that ran in between, a file that was put back).

    `descriptor`: of the old file.
    """
    last = [old.execute(f"SELECT max(id), count(*) FROM {table}").fetchone() for table in _MOVED]  # noqa: S608
    counter = int.from_bytes(os.pread(descriptor, 4, 24), "big")
    return f"{os.fstat(descriptor).st_size} bytes, change {counter}, {[tuple(row) for row in last]}"


def _drop_indexes(new: sqlite3.Connection) -> None:
    """Filled at the end, in order, they are small and quickly made; their statements wait in a table meanwhile."""
    new.execute("CREATE TABLE upgrade_indexes (statement TEXT)")
    rows = new.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN (?, ?)",
        tuple(_MOVED.values()),
    ).fetchall()
    for name, statement in rows:
        new.execute("INSERT INTO upgrade_indexes VALUES (?)", (statement,))
        new.execute(f"DROP INDEX {name}")


def _copy_plain_tables(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """All but the history: as they are."""
    for table in _tables(new):
        columns = sorted(_columns(old, table) & _columns(new, table))
        if table in _MOVED.values() or not columns or table == "alembic_version":
            continue
        names = ", ".join(columns)
        new.execute(f"DELETE FROM {table}")  # noqa: S608 - the one row of `totals`
        _insert(new, table, columns, (tuple(row) for row in old.execute(f"SELECT {names} FROM {table}")))  # noqa: S608
    definitions = _Definitions(new)
    for name, text in new.execute("SELECT name, definition_json FROM schedules").fetchall():
        new.execute("UPDATE schedules SET definition_id = ? WHERE name = ?", (definitions.id_of(text), name))
    for name, sequence in old.execute("SELECT name, seq FROM sqlite_sequence").fetchall():
        _set_sequence(new, _MOVED.get(name, name), sequence)


def _copy_all(old: sqlite3.Connection, new: sqlite3.Connection, need: int, progress: Progress) -> None:
    definitions = _Definitions(new)
    convert = {
        "occurrences": lambda row: _occurrence(row, definitions),
        "executions": _execution,
    }
    totals = {table: old.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _MOVED}  # noqa: S608
    total = sum(totals.values())
    done = sum(new.execute(f"SELECT count(*) FROM {target}").fetchone()[0] for target in _MOVED.values())  # noqa: S608
    progress(UpgradeProgress(done=done, total=total, need_bytes=need))
    for table, target in _MOVED.items():
        for batch in _batches(old, new, table, target):
            columns = list(convert[table](batch[0]))
            with _transaction(new):
                _insert(new, target, columns, (tuple(convert[table](row).values()) for row in batch))
            done += len(batch)
            progress(UpgradeProgress(done=done, total=total, need_bytes=need))
    with _transaction(new):
        for (statement,) in new.execute("SELECT statement FROM upgrade_indexes").fetchall():
            new.execute(statement)
            progress(UpgradeProgress(done=done, total=total, need_bytes=need))
        new.execute("DELETE FROM upgrade_indexes")


def _batches(old: sqlite3.Connection, new: sqlite3.Connection, table: str, target: str) -> Iterator[list[sqlite3.Row]]:
    """From where the new table ends, in the order of the ids."""
    while True:
        last = new.execute(f"SELECT max(id) FROM {target}").fetchone()[0]  # noqa: S608 - our names
        query = f"SELECT * FROM {table} WHERE id > ? ORDER BY id LIMIT {BATCH}"  # noqa: S608
        batch = old.execute(query, (-1 if last is None else last,)).fetchall()
        if not batch:
            return
        yield batch


def _occurrence(row: sqlite3.Row, definitions: "_Definitions") -> Row:
    moved = dict(row)
    for time_column in ("not_before", "start_deadline", "created_at", "finished_at"):
        moved[time_column] = _number(moved[time_column])
    moved["definition_id"] = definitions.id_of(moved.pop("definition_json"))
    return moved


def _execution(row: sqlite3.Row) -> Row:
    moved = dict(row)
    for time_column in ("scheduled_for", "run_dir_removed_at", "progress_at"):
        moved[time_column] = _number(moved[time_column])
    if moved["completed_at"] is not None:
        moved["identity_json"] = None  # as `history.finish` leaves it
    moved["pipeline_state_changes_json"] = _changes(moved.pop("pipeline_state_json"), STATE_BASE)
    moved["resource_usage_changes_json"] = _changes(moved.pop("resource_usage_json"), USAGE_BASE)
    return moved


def _number(text: str | None) -> int | None:
    """What is no instant (edited by hand) becomes the first one of all: the row stays readable."""
    if text is None:
        return None
    try:
        return to_microseconds(from_text(text))
    except (TypeError, ValueError):
        return 0


def _changes(whole: str | None, base: str) -> str | None:
    """What is no JSON object (damaged) stays as it is, and the view shows it so."""
    if whole is None:
        return None
    try:
        return changes(whole, base)
    except (TypeError, ValueError):
        return whole


class _Definitions:
    """Ids of definitions in the new file, by content."""

    def __init__(self, new: sqlite3.Connection) -> None:
        self._new = new
        self._ids: dict[str, int] = dict(new.execute("SELECT sha256, id FROM definitions"))

    def id_of(self, text: str | None) -> int | None:
        """The id of a definition, which is kept now if it is not there yet."""
        if text is None:
            return None
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        if sha256 not in self._ids:
            row = (sha256, text)
            cursor = self._new.execute("INSERT INTO definitions (sha256, definition_json) VALUES (?, ?)", row)
            assert cursor.lastrowid is not None
            self._ids[sha256] = cursor.lastrowid
        return self._ids[sha256]


def _insert(new: sqlite3.Connection, table: str, columns: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
    places = ", ".join("?" * len(columns))
    new.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608 - our names


def _set_sequence(new: sqlite3.Connection, table: str, sequence: int) -> None:
    """Ids go on where they stood: a folder or a mail of a row that was removed long ago must not be met again."""
    new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, sequence))


def _check(old: sqlite3.Connection, new: sqlite3.Connection, partial: Path) -> None:
    """Every row is there and points at something; then the notes of the move go, and all of it is on the disk."""
    for table in _tables(old):
        if table in ("alembic_version", "totals"):
            continue
        counts = [
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - our names
            for connection, name in ((old, table), (new, _MOVED.get(table, table)))
        ]
        if counts[0] != counts[1]:
            raise StateError(f"the new database has {counts[1]} of {counts[0]} rows of {table}", where=str(partial))
    problems = [row[0] for row in new.execute("PRAGMA quick_check") if row[0] != "ok"]
    dangling = new.execute("PRAGMA foreign_key_check").fetchone()
    if problems or dangling:
        raise StateError(f"the new database is not sound: {problems or tuple(dangling)}", where=str(partial))
    with _transaction(new):
        new.execute("DROP TABLE upgrade_indexes")
        new.execute("DROP TABLE upgrade_source")
    new.execute("PRAGMA journal_mode = DELETE")  # the log is in the file now, and the file will be renamed


def _swap(path: Path, partial: Path, backup: Path) -> None:
    """The old file keeps its content under a second name; the first name changes hands in one step."""
    descriptor = os.open(partial, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.chmod(path.stat().st_mode & 0o777)
    give_second_name(path, backup)
    partial.replace(path)
    fsync_folder(path.parent)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _tables(connection: sqlite3.Connection) -> list[str]:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'upgrade_%'"
    )
    return [row[0] for row in names]


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
