"""A PostgreSQL server of a test's own on loopback: without fsync, gone with the test, never run by root."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from left_out import leave_out

from schemas.database import HEAD

USER = "ouroboros"
_READY_S = 60.0
_FOLDERS = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *Path("/usr").glob("pgsql-*/bin"))
_SETTINGS = {
    "fsync": "off",  # what a power cut does to it is PostgreSQL's affair; a kill loses nothing without it either
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "timezone": "Australia/Lord_Howe",  # no time may depend on the server's
    "log_min_messages": "fatal",
}


def program(name: str) -> Path:
    """One of PostgreSQL's programs; Debian keeps the server's off PATH."""
    found = next((folder / name for folder in _FOLDERS if (folder / name).exists()), None) or shutil.which(name)
    return Path(found) if found else leave_out(f"there is no {name} here (package postgresql)")


class PrivateServer:
    """One server; started again, it holds what it held."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self._names = 0

    def make(self) -> None:
        """Its files."""
        if os.geteuid() == 0:
            shutil.chown(self._folder, _other_user())
        command = [program("initdb"), "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        done = subprocess.run([*command, "-N"], capture_output=True, check=False, timeout=120, **_as_other())
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Serve, on the same port as before."""
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        options += ["-c", f"unix_socket_directories={self._folder}"]
        # Killed with this process, however that ends.
        command = [
            "setpriv",
            "--pdeathsig",
            "QUIT",
            program("postgres"),
            "-D",
            self._data,
            "-p",
            str(self.port),
            *options,
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_as_other())
        end_s = time.monotonic() + _READY_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end_s, "the server does not come"
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, at once."""
        assert self._process is not None
        tree = [self.pid, *_children(self.pid)]
        for pid in tree:
            os.kill(pid, signal.SIGSTOP)
        for pid in tree:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """In its own order, ending every session."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_READY_S)
            self._process = None

    def suspend(self) -> None:
        """It and all its sessions live and answer nothing."""
        for pid in [self.pid, *_children(self.pid)]:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """They go on."""
        for pid in [self.pid, *_children(self.pid)]:
            os.kill(pid, signal.SIGCONT)

    def url(self, database: str) -> str:
        """SQLAlchemy's."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement outside of any transaction."""
        import psycopg

        where = f"host=127.0.0.1 port={self.port} user={USER} dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def new_database(self, template: str = "template0") -> str:
        """Its name."""
        self._names += 1
        name = f"test_{os.getpid()}_{self._names}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def empty(self, name: str) -> None:
        """Take all rows out of a history and count from 1 again, as an upgrade leaves one: a tenth of a copy's time."""
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        end_s = time.monotonic() + _READY_S
        while self.ask(f"SELECT pg_terminate_backend(pid) {others}", name):
            assert time.monotonic() < end_s, "somebody does not leave the database"
        tables = self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", name)
        deletes = [f"DELETE FROM {table}" for (table,) in tables if table != "alembic_version"]
        counters = "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences"
        totals = "INSERT INTO totals (id, settled, succeeded, failed, duration_s) VALUES (1, 0, 0, 0, 0)"
        revision = f"UPDATE alembic_version SET version_num = '{HEAD}'"
        self.ask(";".join(["SET session_replication_role = replica", *deletes, counters, totals, revision]), name)

    def drop(self, name: str) -> None:
        """Whoever is in it."""
        self.ask(f"DROP DATABASE {name} WITH (FORCE)")

    def _answers(self) -> bool:
        import psycopg

        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """A server, while it is held; its tests are left out by name where PostgreSQL is not installed."""
    program("initdb")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        leave_out("there is no psycopg here (pip install 'ouroboros[postgres]')")
    folder = Path(tempfile.mkdtemp(prefix="ouroboros-pg-"))
    server = PrivateServer(folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _other_user() -> str:
    """PostgreSQL refuses root."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as_other() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_other_user())
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
