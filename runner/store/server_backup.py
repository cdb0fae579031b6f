"""Copies of a history on a PostgreSQL server, and the way back from one.

A copy is a dump (`pg_dump -Fc`) where a `pg_dump` that is not older than the server lies on this machine, else the
whole history as an SQLite file, by the server's driver alone. `ouroboros db restore` takes both; a file that was
SQLite's own comes to a server in the same way.

A restore puts the old tables aside, into a schema of their own in the same database, and the copy's in their place, in
one transaction: killed at any moment it leaves the old history or the new one.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from glob import escape
from pathlib import Path

from sqlalchemy import Connection

from runner.store import move
from runner.store.database_url import server_parameters
from runner.store.engine import Store
from runner.store.migrate import stored_revision, upgrade
from runner.store.sqlite_connections import opened
from schemas.database import HEAD, REPLACED_SCHEMA, sqlite_url
from schemas.errors import StateError
from schemas.files import fsync_folder
from schemas.outside_text import ERROR_LIMIT, passage
from schemas.postgresql import LONG_S

DUMP_SUFFIX, FILE_SUFFIX = ".dump", ".db"
_DUMP_MAGIC = b"PGDMP"
_FOLDERS = (Path("/usr/lib/postgresql"), Path("/usr"))
_STAGED_SCHEMA = "restoring"
_LOCK_WAIT_MS = 30_000
_LOOK_S = 10.0
_OURS = """
    SELECT CASE WHEN relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END, quote_ident(relname) FROM pg_class
    WHERE relnamespace = '{schema}'::regnamespace AND relkind IN ('r', 'v')
      AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
    UNION ALL SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
"""
"""All of a schema but what extensions have put there; what a table owns goes where it goes."""


@dataclass(frozen=True, slots=True)
class Tools:
    """PostgreSQL's programs of one version."""

    folder: Path

    def run(self, store: Store, program: str, *options: str, to_server: bool = True) -> bytes:
        """Run one of them; what it wrote.

        Raises:
            StateError: it failed, or took more than an hour; says why.
        """
        from psycopg.conninfo import make_conninfo

        given = server_parameters(store.url) | {"connect_timeout": "5", "application_name": f"ouroboros {program}"}
        given["options"] = f"-c lock_timeout={_LOCK_WAIT_MS} {given.get('options', '')}"
        where = ["--no-password", f"--dbname={make_conninfo(**given)}"] if to_server else []
        try:
            done = subprocess.run(
                [self.folder / program, *where, *options], capture_output=True, check=False, timeout=LONG_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StateError(f"{program} failed: {error}", where=store.where) from error
        if done.returncode:
            said = passage(done.stderr.decode("utf-8", "replace").strip(), ERROR_LIMIT)
            raise StateError(f"{program} failed: {said or f'code {done.returncode}'}", where=store.where)
        return done.stdout


def tools_for(store: Store) -> Tools | None:
    """The oldest programs of this machine that are not older than the server: their dumps can be read by most; None:
    there are none.

    Raises:
        StateError: the server cannot be asked.
    """
    with store.look() as connection:
        server = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    found = sorted((version, folder) for version, folder in _installed() if version >= server)
    return Tools(found[0][1]) if found else None


def copy(store: Store, target: Path, tools: Tools | None, now: datetime) -> Path:
    """A whole copy of the last committed state, taken while the daemon goes on, and checked.

    Args:
        target: its path; of a dump with DUMP_SUFFIX, which needs `tools`, else an SQLite file.

    Raises:
        StateError: `target` exists or cannot be written, the server cannot be read, or the copy is not sound.
    """
    target = target.absolute()
    if target.exists():
        raise StateError("a backup never overwrites", where=str(target), remedy="Name another file.")
    if not target.parent.is_dir():
        raise StateError("no such folder", where=str(target.parent), remedy="Make it, or name another.")
    partial = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        if target.suffix != DUMP_SUFFIX:
            _copy_to_file(store, partial, now)
        elif tools is None:
            raise StateError(
                "there is no pg_dump here that is not older than the server",
                where=store.where,
                remedy=f"Install PostgreSQL's client programs, or name a file that ends with {FILE_SUFFIX}.",
            )
        else:
            kept_out = f"--exclude-schema={REPLACED_SCHEMA}*"
            tools.run(store, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", kept_out,
                      f"--lock-wait-timeout={_LOCK_WAIT_MS}", f"--file={partial}")  # fmt: skip
            refuse_unsound_dump(store, partial, tools)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(target)
        fsync_folder(target.parent)
    except OSError as error:
        raise StateError(f"cannot write the copy: {error.strerror}", where=str(target)) from error
    finally:
        for left in target.parent.glob(f"{escape(partial.name)}*"):
            left.unlink()
    return target


def is_dump(file: Path) -> bool:
    """Whether a file is a dump of `pg_dump -Fc`."""
    with file.open("rb") as handle:
        return handle.read(len(_DUMP_MAGIC)) == _DUMP_MAGIC


def refuse_unsound_dump(store: Store, file: Path, tools: Tools | None) -> None:
    """Read all of a dump.

    Raises:
        StateError: it is damaged, no dump of ours, or there is no program to read it with.
    """
    if tools is None:
        raise StateError(
            "this is a dump, and there is no pg_restore here that is not older than the server",
            where=str(file),
            remedy="Install PostgreSQL's client programs.",
        )
    try:
        listed = tools.run(store, "pg_restore", "--list", str(file), to_server=False)
        tools.run(store, "pg_restore", "--file=/dev/null", str(file), to_server=False)
    except StateError as error:
        raise StateError(f"this backup is damaged itself ({error.what})", where=str(file)) from error
    if b" alembic_version " not in listed:
        raise StateError("this is a dump of another program", where=str(file), remedy="Name another file.")


def restore_dump(store: Store, file: Path, tools: Tools, now: datetime) -> str:
    """Put a dump in the tables' place; the schema in which the old ones lie then, "" if there were none.

    Raises:
        StateError: it cannot be; the database is untouched.
    """
    aside = _new_schema(store, now)
    with tempfile.TemporaryDirectory(prefix="ouroboros-restore-") as folder:
        first, script = Path(folder) / "aside.sql", Path(folder) / "dump.sql"
        first.write_text("".join(f"{statement};\n" for statement in _moves(store, "public", aside)))
        tools.run(store, "pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(file), to_server=False)
        tools.run(store, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction",
                  f"--file={first}", f"--file={script}")  # fmt: skip
    return aside


def restore_file(store: Store, file: Path, now: datetime) -> str:
    """Put the history of an SQLite file in the tables' place; the schema in which the old ones lie then, "" if there
    were none. A file of an older version is brought up to date on the way, in a copy.

    Raises:
        StateError: it cannot be; the database is untouched.
    """
    staged = Store(
        store.url.update_query_dict({"options": f"-csearch_path={_STAGED_SCHEMA}"}).render_as_string(False),
        store.busy_timeout_s,
    )
    with tempfile.TemporaryDirectory(prefix="ouroboros-restore-") as folder:
        whole, source = Store(sqlite_url(file), store.busy_timeout_s), Path(folder) / "history.db"
        whole.copy_to(source)
        whole.close()
        copied = Store(sqlite_url(source), store.busy_timeout_s)
        try:
            upgrade(copied, 1, now)
            with store.write() as session:
                _run(session.connection(), f"DROP SCHEMA IF EXISTS {_STAGED_SCHEMA} CASCADE")
                _run(session.connection(), f"CREATE SCHEMA {_STAGED_SCHEMA}")
            upgrade(staged, 1, now)
            move.move(copied, staged)
        finally:
            copied.close()
            staged.close()
    aside = _new_schema(store, now)
    moves = [*_moves(store, "public", aside), *_moves(store, _STAGED_SCHEMA, "public")]
    with store.write() as session:
        for statement in [*moves, f"DROP SCHEMA {_STAGED_SCHEMA}"]:
            _run(session.connection(), statement)
    return aside


def _copy_to_file(store: Store, target: Path, now: datetime) -> None:
    copied = Store(sqlite_url(target), store.busy_timeout_s)
    found = stored_revision(store)
    if found != HEAD:
        raise StateError(
            f"the database is at revision {found or 'none'}, this version needs {HEAD}",
            where=store.where,
            remedy="`ouroboros up` or `ouroboros init` brings it up to date first.",
        )
    try:
        upgrade(copied, 1, now)
        move.copy_snapshot(store, copied)
    finally:
        copied.close()
    with opened(target, store.busy_timeout_s) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, which opens without others beside it


def _new_schema(store: Store, now: datetime) -> str:
    """A name that no schema has; "": there is nothing to be put aside."""
    with store.look() as connection:
        if connection.exec_driver_sql(_OURS.format(schema="public")).first() is None:
            return ""
        taken = set(connection.exec_driver_sql("SELECT nspname FROM pg_namespace").scalars())
    name = f"{REPLACED_SCHEMA}{now:%Y%m%dt%H%M%S}"
    return next(each for each in _numbered(name) if each not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def _moves(store: Store, schema: str, into: str) -> list[str]:
    """The statements that put all of a schema into another one, which is made unless it is `public`."""
    if not into:
        return []
    with store.look() as connection:
        connection.exec_driver_sql(f"SET LOCAL search_path = {schema}")  # names come without it then
        found = connection.exec_driver_sql(_OURS.format(schema=schema)).all()
    made = [] if into == "public" else [f"CREATE SCHEMA {into}"]
    return made + [f"ALTER {kind} {schema}.{name} SET SCHEMA {into}" for kind, name in found]


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


@cache
def _installed() -> tuple[tuple[int, Path], ...]:
    """The folders with all three programs, and their versions. Debian's own `pg_dump` chooses one of them by what it
    finds configured, so that the versioned folders come first."""
    named = [program.parent for root in _FOLDERS for program in root.glob("*/bin/pg_dump")]
    on_path = shutil.which("pg_dump")
    folders = [*named, *([Path(on_path).parent] if on_path and not named else [])]
    found = []
    for folder in folders:
        if not all((folder / program).exists() for program in ("pg_restore", "psql")):
            continue
        version = re.search(rb" (\d+)\b", _said_of_itself(folder / "pg_dump"))
        if version:
            found.append((int(version[1]), folder))
    return tuple(found)


def _said_of_itself(program: Path) -> bytes:
    """Its version in words; empty where it cannot be run, or hangs."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False, timeout=_LOOK_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""
