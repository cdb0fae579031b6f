"""Opens transactions: one writer at a time, readers on a snapshot. SQLite-only SQL of the daemon stands
here and in `statements`; PostgreSQL is opened by `server.py`, by the same rules.

SQLite is used in WAL mode with synchronous=FULL, so that a committed transaction survives a power cut. Python's driver
would begin transactions late and deferred, which loses updates between processes without an error; so its own
transaction control is off, and BEGIN IMMEDIATE (writers) or BEGIN (readers) is sent by an event, as SQLAlchemy's page
on SQLite describes for Python 3.11.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool

from runner.store.database_url import checked_url, file_of
from runner.store.opened_file import FileIdentity, connect_read_only, may_not_be_written
from runner.store.sqlite_connections import (
    SMALL_CACHE,
    connect,
    copy_whole,
    opened,
    prepare_migration,
    prepare_reader,
    prepare_writer,
)
from runner.store.statements import foreign_key_errors, typed_errors
from schemas import postgresql
from schemas.errors import StateError
from schemas.files import fsync_folder

if TYPE_CHECKING:
    from runner.store.server import SnapshotWatcher

Prepare = Callable[[sqlite3.Connection, float], None]
_READERS = 8


class Store:
    """The database behind every room of this package.

    Args:
        url: SQLAlchemy URL. SQLite files need no more than `sqlite:////absolute/path`; for a server
            `postgresql+psycopg://USER@HOST/DATABASE`.
        busy_timeout_s: how long to wait for another writer.

    Raises:
        SettingsError: the URL cannot be used.
    """

    def __init__(self, url: str, busy_timeout_s: float) -> None:
        self.url = checked_url(url)
        self.busy_timeout_s = busy_timeout_s
        self.path = file_of(self.url)
        self._file: FileIdentity | None = None
        self._watcher: sqlite3.Connection | None = None
        self._seen_version: int | None = None
        self._snapshots: SnapshotWatcher | None = None
        self._seen_snapshot = ""
        self.fence: Callable[[Session], None] = _open_to_all
        """Called at the start of each transaction that may write, under the lock; what it raises ends it."""
        self._writers = self._engine(prepare_writer, "BEGIN IMMEDIATE", poolclass=QueuePool, pool_size=1)
        self._readers = self._engine(
            prepare_reader, "BEGIN", mode=self._reading_mode(), poolclass=QueuePool, pool_size=_READERS
        )

    def hold_to_file(self) -> None:
        """From now on the file that lies at the path is the database: a later connection to another one is an error.

        Raises:
            StateError: there is none.
        """
        if self.path is None:
            return
        with self.write():
            pass  # a connection that stays open, and writes this very file whatever becomes of its name
        try:
            self._file = FileIdentity.of(self.path)
        except OSError as error:
            raise StateError(f"the database cannot be opened: {error.strerror}", where=self.where) from error

    def file_trouble(self) -> str:
        """What became of the file since `hold_to_file`: "", `removed` or `replaced by another file`."""
        return self._file.trouble() if self._file is not None else ""

    def rescue_to(self, target: Path) -> None:
        """A whole copy of the open database, whose file has no name any more.

        Raises:
            StateError: it cannot be written, or no connection was held open.
        """
        partial = target.with_name(f".{target.name}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with typed_errors(str(target), self.busy_timeout_s):
                driver = self._writers.raw_connection()
                try:
                    driver.cursor().execute("VACUUM INTO ?", (str(partial),))
                finally:
                    driver.close()
            partial.rename(target)
            fsync_folder(target.parent)
        except OSError as error:
            raise StateError(f"cannot write the copy: {error.strerror}", where=str(target)) from error
        finally:
            partial.unlink(missing_ok=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def where(self) -> str:
        """The database in words for messages, without a password."""
        return str(self.path) if self.path else self.url.render_as_string(hide_password=True)

    def faults(self) -> AbstractContextManager[None]:
        """Within it, the driver's errors become typed ones that name this database."""
        return typed_errors(self.where, self.busy_timeout_s)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that may write; committed at the end, rolled back if anything is raised.

        The lock is taken at the start (BEGIN IMMEDIATE), so what is read inside cannot go stale. Keep it short, and
        never open a second one inside it: that waits for itself.

        Raises:
            TransientStateError, StateError: as `faults.typed_errors`.
        """
        with self.faults(), _session(self._writers) as session, session.begin():
            session.connection()
            self.fence(session)
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction on a snapshot, which cannot write and waits for nobody.

        Raises:
            StateError: as `faults.typed_errors`.
        """
        with self.faults(), _session(self._readers) as session, session.begin():
            yield session

    def changed(self) -> bool:
        """Whether anything was committed since the last call, by this process or another; True on the first call.

        It costs a few microseconds on SQLite and opens no transaction. On a server it is one short question, and True
        also where somebody's transaction began or was rolled back. For one caller only: each commit is told once.

        Raises:
            StateError: as `faults.typed_errors`.
        """
        if self.path is None:
            return self._snapshot_changed()
        try:  # asked several times a second, for weeks: a context manager would cost more than the question
            if self._watcher is None:
                self._watcher = self._open(self.path, "rw")
            version: int = self._watcher.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            with self.faults():
                raise
        before, self._seen_version = self._seen_version, version
        return version != before

    def _snapshot_changed(self) -> bool:
        if self._snapshots is None:
            from runner.store.server import SnapshotWatcher

            self._snapshots = SnapshotWatcher(self.url, self.busy_timeout_s)
        snapshot = self._snapshots.snapshot()
        before, self._seen_snapshot = self._seen_snapshot, snapshot
        return snapshot != before

    def size_bytes(self) -> int:
        """How much the database takes on its disk; 0: there is none."""
        if self.path is not None:
            return self.path.stat().st_size if self.path.exists() else 0
        from runner.store.server import size_bytes

        with self.look() as connection:
            return size_bytes(connection)

    def close(self) -> None:
        """Close every connection of this process that is not in use."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher, self._seen_version = None, None
        if self._snapshots is not None:
            self._snapshots.close()
        self._readers.dispose()
        self._writers.dispose()

    def create_file(self) -> None:
        """Make an empty database file, and its folder, where none is.

        Raises:
            StateError: the folder may not be written.
        """
        if self.path is None or self.path.exists():
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o644))
            fsync_folder(self.path.parent)
        except OSError as error:
            raise StateError(
                f"cannot create the database: {error.strerror}",
                where=self.where,
                remedy="Check the folder's permissions and free space.",
            ) from error

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Read without leaving a trace: no file is created, and closing checkpoints nothing."""
        engine = self._engine(None, "BEGIN", mode="ro", limit_s=postgresql.LONG_S, poolclass=NullPool)
        with self.faults(), engine.connect() as connection:
            yield connection

    @contextmanager
    def migration_transaction(self) -> Iterator[Connection]:
        """A write transaction for migrations: rebuilding a table must not cascade, so foreign keys are checked at
        the end instead of at each statement.

        Raises:
            StateError: a foreign key points nowhere afterwards (nothing is committed); else as `write`.
        """
        engine = self._engine(prepare_migration, "BEGIN IMMEDIATE", limit_s=postgresql.LONG_S, poolclass=NullPool)
        with self.faults(), engine.begin() as connection:
            yield connection
            dangling = foreign_key_errors(connection)
            if dangling:
                raise StateError(f"a migration left dangling rows: {dangling[0]}", where=self.where)

    def copy_to(self, target: Path) -> None:
        """A whole copy of the last committed state, taken by SQLite's backup call while others go on writing.

        Raises:
            StateError: no SQLite file, the target exists, or it cannot be written (no partial file stays).
        """
        if self.path is None:
            raise StateError("only SQLite files are copied", where=self.where, remedy="Use the server's `pg_dump -Fc`.")
        if target.exists():
            raise StateError("a backup never overwrites", where=str(target), remedy="Name another file.")
        if not target.parent.is_dir():
            raise StateError("no such folder", where=str(target.parent), remedy="Make it, or name another.")
        partial = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with typed_errors(str(target), self.busy_timeout_s), opened(self.path, self.busy_timeout_s) as source:
                copy_whole(source, partial)
            descriptor = os.open(partial, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            partial.rename(target)
            fsync_folder(target.parent)
        except OSError as error:
            raise StateError(f"cannot write the copy: {error.strerror}", where=str(target)) from error
        finally:
            partial.unlink(missing_ok=True)

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file and cut it to nothing; False if a reader was in the way."""
        if self.path is None:
            return True
        with self.faults(), opened(self.path, self.busy_timeout_s) as connection:
            busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return busy == 0

    def release_pages(self, limit: int) -> int:
        """Give up to `limit` free pages back to the file system, in one short transaction; how many are left."""
        if self.path is None:
            return 0
        with self.faults(), opened(self.path, self.busy_timeout_s) as connection:
            connection.execute(f"PRAGMA incremental_vacuum({int(limit)})").fetchall()
            left: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        return left

    def integrity(self) -> list[str]:
        """Every complaint of the database about its own structure and foreign keys; empty when sound.

        Raises:
            StateError: the file cannot even be read.
        """
        if self.path is None:
            return []
        with self.look() as connection:
            connection.exec_driver_sql(SMALL_CACHE)
            structure = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
            return [line for line in structure if line != "ok"] + foreign_key_errors(connection)

    def _reading_mode(self) -> str:
        """`rw`, which keeps the write-ahead log small when the last reader closes, where that can be written."""
        return "ro" if self.path is not None and may_not_be_written(self.path) else "rw"

    def _open(self, path: Path, mode: str, prepare: Prepare | None = None) -> sqlite3.Connection:
        read_only = mode == "ro" and may_not_be_written(path)
        wait_s = self.busy_timeout_s
        connection = connect_read_only(path, wait_s) if read_only else connect(path, mode, wait_s)
        try:
            if self._file is not None and not read_only:
                self._file.check()
            if prepare is not None:
                prepare(connection, self.busy_timeout_s)
        except BaseException:
            connection.close()  # nobody else knows it yet
            raise
        return connection

    def _engine(
        self, prepare: Prepare | None, begin: str, *, mode: str = "rw", limit_s: float | None = None, **pool: Any
    ) -> Engine:
        if pool["poolclass"] is QueuePool:
            pool |= {"max_overflow": 0, "pool_timeout": self.busy_timeout_s}
        if self.path is None:
            return self._server_engine(limit_s, writes=begin == "BEGIN IMMEDIATE", pool=pool)
        path = self.path
        engine = create_engine("sqlite://", creator=lambda: self._open(path, mode, prepare), **pool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _server_engine(self, limit_s: float | None, *, writes: bool, pool: dict[str, Any]) -> Engine:
        from runner.store.server import server_engine

        return server_engine(
            self.url,
            "writer" if writes else "reader",
            busy_timeout_s=self.busy_timeout_s,
            limit_s=limit_s or postgresql.statement_limit_s(self.busy_timeout_s),
            writes=writes,
            **pool,
        )


def _session(engine: Engine) -> Session:
    # populate_existing: a statement shows what is in the database now, also after a bulk update in the same session.
    return Session(engine, expire_on_commit=False, execution_options={"populate_existing": True})


def _open_to_all(_session: Session) -> None:
    """Nobody is kept from writing."""
