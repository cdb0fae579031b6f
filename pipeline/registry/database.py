"""Opens transactions on the history's database, as the daemon's store does: many processes, one writer at a time.

SQLite in WAL mode with synchronous=FULL; a writer begins with BEGIN IMMEDIATE, so that what it read cannot go stale
before it writes. A connection lives for one transaction: a training run forks, and connections must not be inherited.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from schemas.database import HEAD, upgrade_report
from schemas.errors import SettingsError, StateError
from schemas.service import StorageSettings
from schemas.sqlite_faults import sqlite_fault

_WAL_LIMIT_BYTES = 64 * 2**20
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
            fault = sqlite_fault(error.orig, self.where, self._storage.busy_timeout_s)
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
            try:
                return create_engine(self._url, poolclass=NullPool)
            except (ImportError, NoSuchModuleError) as error:
                raise SettingsError(
                    f"the driver of this database is not installed: {error}",
                    where=f"storage.database_url, {self.where}",
                ) from error
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
