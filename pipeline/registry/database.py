"""Opens transactions on the history's database, as the daemon's store does: many processes, one writer at a time.

PostgreSQL by the rules of `schemas.postgresql`; a server that is away is waited for, as a run outlives its restart.
SQLite in WAL mode with synchronous=FULL; a writer begins with BEGIN IMMEDIATE, so that what it read cannot go stale
before it writes. A connection lives for one transaction: a training run forks, and connections must not be inherited.
"""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from schemas import postgresql
from schemas.database import HEAD, upgrade_report
from schemas.errors import DatabaseAwayError, SettingsError, StateError
from schemas.service import StorageSettings
from schemas.sqlite_errors import sqlite_error

_WAL_LIMIT_BYTES = 64 * 2**20
_AWAY_LOOK_S = 0.5
_CHILD = (sys.executable, "-P", "-m", "migrations", "-")  # -P: a folder `migrations` where we stand is not ours


class RegistryDatabase:
    """The database that holds the registry's tables.

    Args:
        url: SQLAlchemy's.
        storage: waiting time and kept backups.
        create: make or upgrade the database if it needs it; False: refuse.

    Raises:
        SettingsError: the URL cannot be used.
        StateError: it cannot be opened, made or upgraded, or (without `create`) it is not there or of another version.
    """

    def __init__(self, url: str, storage: StorageSettings, *, create: bool) -> None:
        try:
            self._url = make_url(url)
        except ArgumentError as error:
            raise SettingsError(f"no database URL: {error}", where="storage.database_url") from error
        self._storage = storage
        on_file = self._url.get_backend_name() == "sqlite" and self._url.database
        self._path = Path(on_file).absolute() if on_file else None
        self.where = str(self._path) if self._path else self._url.render_as_string(hide_password=True)
        self._writers = self._engine("BEGIN IMMEDIATE", "PRAGMA foreign_keys = ON")
        self._readers = self._engine("BEGIN", "PRAGMA query_only = ON")
        self._see_to_revision(create)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write; committed at the end, rolled back if anything is raised.

        Raises:
            TransientStateError: another process held the database too long, or the disk is full.
            StateError: it cannot be opened, read or written.
        """
        with self._typed_faults(), self._writers.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction on a snapshot, which cannot write and waits for nobody.

        Raises:
            StateError: it cannot be opened or read.
        """
        with self._typed_faults(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def _typed_faults(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            busy_timeout_s = self._storage.busy_timeout_s
            fault = sqlite_error(error.orig, self.where, busy_timeout_s)
            fault = fault or postgresql.server_error(error.orig, self.where, busy_timeout_s)
            raise fault or StateError(f"the database refused: {error.orig}", where=self.where) from error

    def _see_to_revision(self, create: bool) -> None:
        revision = self._revision()
        if revision == HEAD:
            return
        if not create:
            found = "nothing has run here yet" if revision is None else f"the database is at revision {revision}"
            raise StateError(
                f"{found}; this version needs revision {HEAD}",
                where=self.where,
                remedy="`ouroboros up` creates or upgrades it; OUROBOROS_HOME names another state folder.",
            )
        done = subprocess.run(
            [
                *_CHILD,
                f"--busy-timeout-s={self._storage.busy_timeout_s}",
                f"--keep-backups={self._storage.keep_backups}",
            ],
            input=self._url.render_as_string(hide_password=False) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        upgrade_report(done.stdout, done.stderr, done.returncode, self.where)

    def _revision(self) -> str | None:
        if self._path is not None and (not self._path.exists() or self._path.stat().st_size == 0):
            return None
        with self.read() as connection:
            if "alembic_version" not in inspect(connection).get_table_names():
                return None
            revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return revision

    def _engine(self, begin: str, pragma: str) -> Engine:
        if self._path is None:
            return self._server_engine(writes=begin == "BEGIN IMMEDIATE")
        address, timeout_s = f"{self._path.as_uri()}?mode=rw", self._storage.busy_timeout_s

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(address, uri=True, timeout=timeout_s, isolation_level=None)
            try:
                for statement in (
                    pragma,
                    "PRAGMA synchronous = FULL",
                    f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}",
                ):
                    connection.execute(statement)
            except BaseException:
                connection.close()  # nobody else knows it yet
                raise
            return connection

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _server_engine(self, *, writes: bool) -> Engine:
        try:
            engine = create_engine(self._url, poolclass=NullPool)
        except (ImportError, NoSuchModuleError) as error:
            raise postgresql.driver_missing(self.where, error) from error
        event.listen(engine, "do_connect", lambda *_of_the_dialect: self._server_connection(writes=writes))
        if writes:
            lock = f"SELECT pg_advisory_xact_lock({postgresql.WRITERS[0]}, {postgresql.WRITERS[1]})"
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(lock))
        return engine

    def _server_connection(self, *, writes: bool) -> Any:
        """Opened; a server that is away is asked again until it would have been busy for too long."""
        busy_timeout_s = self._storage.busy_timeout_s
        parameters = dict(self._url.translate_connect_args(username="user", database="dbname")) | dict(self._url.query)
        limit_s, end_s = postgresql.statement_limit_s(busy_timeout_s), time.monotonic() + busy_timeout_s
        levels = postgresql.isolation_levels()
        while True:
            try:
                found = postgresql.connect("worker", parameters, busy_timeout_s=busy_timeout_s, limit_s=limit_s)
            except Exception as error:
                fault = postgresql.server_error(error, self.where, busy_timeout_s)
                if not isinstance(fault, DatabaseAwayError) or time.monotonic() > end_s:
                    raise
                time.sleep(_AWAY_LOOK_S)
            else:
                found.isolation_level = levels.READ_COMMITTED if writes else levels.REPEATABLE_READ
                found.read_only = not writes
                return found
