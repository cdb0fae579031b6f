"""The nightly copies of the database, and the way back from one: a folder beside the database, or in the state folder
of a daemon whose database is on a server, holds the newest few. What a copy of a server's is, `server_backup` knows.

A copy has its final name only when it is whole, on the disk and checked. A restore sets the old database aside, whole,
with its write-ahead log, before the copy takes its place in one rename: killed at any moment it leaves the old
database or the new one, and can simply be run again.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from glob import escape
from pathlib import Path

from runner.store import server_backup
from runner.store.engine import Store
from runner.store.migrate import stored_revision
from runner.store.server_backup import DUMP_SUFFIX, FILE_SUFFIX, tools_for
from schemas.database import (
    BACKUP_NAME,
    DATABASE_NAME,
    REPLACED_MARK,
    all_backups,
    backups_of,
    nightly_backups,
    sqlite_url,
)
from schemas.errors import DatabaseDamagedError, DatabaseFullError, DatabaseNewerError, StateError
from schemas.files import fsync_folder, give_second_name
from schemas.service import StorageSettings

_STAMP = "%Y%m%dT%H%M%SZ"
_NEARLY = 0.98
"""Of the interval: whoever comes once a day may come some minutes early."""
_ROOM = 1.05
"""A copy is made only with so many times the database's size free."""


def periodic(store: Store, home: Path, storage: StorageSettings, now: datetime) -> Path | None:
    """Make the copy that is due, and remove those beyond `keep_nightly_backups`; None: none is due yet. Call it as
    often as you like; others go on reading and writing.

    Raises:
        DatabaseFullError: the disk has no room for a copy; the older copies stay.
        StateError: the copy cannot be written, or is not sound.
    """
    database = store.path or home / DATABASE_NAME
    # The name is the time, not the file's date: a folder that was copied has other dates.
    interval = timedelta(hours=storage.backup_interval_hours) * _NEARLY
    if any(now - _made_at(backup, now) < interval for backup in nightly_backups(database)):
        return None
    folder = backups_of(database)
    folder.mkdir(parents=True, exist_ok=True)
    for torn in folder.glob(f".{escape(database.stem)}-*.tmp*"):
        torn.unlink()  # of a daemon that was killed: one daemon serves a database, and only it comes here
    _refuse_without_room(store.size_bytes(), folder)
    target = folder / BACKUP_NAME.format(stem=database.stem, time=now.strftime(_STAMP), suffix=suffix_of(store))
    made = checked_copy(store, target, now)
    for old in nightly_backups(database)[storage.keep_nightly_backups :]:
        old.unlink()
    return made


def suffix_of(store: Store) -> str:
    """What the name of a copy of this database ends with.

    Raises:
        StateError: the server cannot be asked for its version.
    """
    return DUMP_SUFFIX if store.path is None and tools_for(store) is not None else FILE_SUFFIX


def checked_copy(store: Store, target: Path, now: datetime) -> Path:
    """A whole copy of the last committed state, taken while the daemon goes on, and checked.

    Raises:
        StateError: `target` exists or cannot be written, or the copy is not sound (it is removed then).
    """
    if store.path is None:
        copied = server_backup.copy(store, target, tools_for(store), now)
        if not server_backup.is_dump(copied):
            _refuse_unsound(copied, store.busy_timeout_s)
        return copied
    target = target.absolute()
    store.copy_to(target)
    problems = problems_of(target, store.busy_timeout_s)
    if problems:
        target.unlink()
        raise StateError(f"the copy is not sound: {problems[0]}", where=str(target), remedy="See `ouroboros db check`.")
    return target


def problems_of(file: Path, busy_timeout_s: float) -> list[str]:
    """What is wrong with a copy; empty: nothing.

    Raises:
        StateError: it cannot be read at all.
    """
    copy = Store(sqlite_url(file), busy_timeout_s)
    try:
        return copy.integrity()
    finally:
        copy.close()


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore` did."""

    source: Path
    aside: str
    """Where the old database lies now; "": there was none."""
    passed_over: tuple[str, ...]
    """Newer backups that cannot be used, with the reason."""


def restore(store: Store, home: Path, source: Path | None, now: datetime) -> Restored:
    """Put a copy of `source` in the database's place; None: of the newest backup that is sound.

    The caller makes sure that nobody serves the database meanwhile. `source` stays as it is.

    Raises:
        StateError: there is no backup, or `source` is no sound database of ours; the database is untouched.
        DatabaseFullError: the disk has no room for it; the database is untouched.
    """
    source, passed_over = _chosen(store, home, source)
    if store.path is None:
        return Restored(source, _restore_server(store, source, now), passed_over)
    store.path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_without_room(source.stat().st_size, store.path.parent)
    for torn in store.path.parent.glob(f"*.{escape(store.path.name)}.restoring.*"):
        torn.unlink()
    partial = store.path.with_name(f".{store.path.name}.restoring.{os.getpid()}")
    copy = Store(sqlite_url(source), store.busy_timeout_s)
    try:
        copy.copy_to(partial)
        store.close()
        aside = _set_aside(store.path, now)
        partial.replace(store.path)
        fsync_folder(store.path.parent)
    finally:
        copy.close()
        partial.unlink(missing_ok=True)
    return Restored(source, str(aside or ""), passed_over)


def _restore_server(store: Store, source: Path, now: datetime) -> str:
    """Where the old tables lie, in words."""
    tools = tools_for(store)
    if server_backup.is_dump(source):
        assert tools is not None  # the dump was read
        schema = server_backup.restore_dump(store, source, tools, now)
    else:
        schema = server_backup.restore_file(store, source, now)
    return f"the schema {schema} of {store.where}" if schema else ""


def _chosen(store: Store, home: Path, source: Path | None) -> tuple[Path, tuple[str, ...]]:
    """The backup to take, and the newer ones that cannot be."""
    database = store.path or home / DATABASE_NAME
    if source is not None:
        if store.path is not None and source.exists() and database.exists() and source.samefile(database):
            raise StateError("this is the database itself", where=str(source), remedy="Name a backup.")
        _refuse_useless(store, source)
        return source.absolute(), ()
    passed_over = []
    for backup in all_backups(database):
        try:
            _refuse_useless(store, backup)
        except StateError as error:
            passed_over.append(str(error))
        else:
            return backup, tuple(passed_over)
    raise StateError(
        "there is no sound backup" + "".join(f"; {line}" for line in passed_over),
        where=str(backups_of(database)),
        remedy="Name a file: `ouroboros db restore FILE`.",
    )


def _set_aside(path: Path, now: datetime) -> Path | None:
    """Give the old database a second name, then take its log along. The file itself stays where it is until the copy
    replaces it; its log must go before that, or SQLite would play it into the copy."""
    if not path.exists() and not path.with_name(f"{path.name}-wal").exists():
        return None
    moment = now.strftime(_STAMP)
    aside, number = path.with_name(f"{path.name}{REPLACED_MARK}{moment}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}{REPLACED_MARK}{moment}-{number}")
    if path.exists():
        give_second_name(path, aside)
    for log in ("-wal", "-journal"):
        old = path.with_name(path.name + log)
        if old.exists() and old.stat().st_size:
            old.rename(aside.with_name(aside.name + log))
        else:
            old.unlink(missing_ok=True)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)  # an index of the log, made anew from it
    fsync_folder(path.parent)
    return aside


def _refuse_useless(store: Store, backup: Path) -> None:
    """Look whether a file can be restored into this database.

    Raises:
        StateError: it is absent, damaged, or a dump where there is no server.
        DatabaseNewerError: it is another program's.
    """
    if not backup.is_file() or not server_backup.is_dump(backup):
        _refuse_unsound(backup, store.busy_timeout_s)
    elif store.path is None:
        server_backup.refuse_unsound_dump(store, backup, tools_for(store))
    else:
        raise StateError(
            "this is a dump of a PostgreSQL server, and the history is an SQLite file",
            where=str(backup),
            remedy="Set storage.database_url to a server's database; `ouroboros db move` brings it into a file then.",
        )


def _refuse_unsound(backup: Path, busy_timeout_s: float) -> None:
    """Look whether a file of SQLite's can be restored.

    Raises:
        StateError: it is absent or damaged.
        DatabaseNewerError: it is another program's.
    """
    if not backup.is_file():
        raise StateError(
            "there is no such backup", where=str(backup), remedy="`ouroboros db restore` takes the newest."
        )
    try:
        problems = problems_of(backup, busy_timeout_s)
    except DatabaseDamagedError as error:
        problems = [error.what]
    if problems:
        raise StateError(
            f"this backup is damaged itself ({problems[0]})", where=str(backup), remedy="Take another one."
        )
    copy = Store(sqlite_url(backup), busy_timeout_s)
    try:
        if stored_revision(copy) is None:
            raise DatabaseNewerError("this is an empty database", where=str(backup), remedy="Name another file.")
    finally:
        copy.close()


def _refuse_without_room(size_bytes: int, folder: Path) -> None:
    needed, free = int(size_bytes * _ROOM), shutil.disk_usage(folder).free
    if free < needed:
        raise DatabaseFullError(
            f"a copy of the database needs {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free",
            where=str(folder),
            remedy="Free some space, or keep fewer copies (`storage.keep_nightly_backups`).",
        )


def _made_at(backup: Path, now: datetime) -> datetime:
    """From its name; a name from the future (the clock was wrong) counts as long ago, so that copies go on."""
    text = backup.stem.rpartition("-")[2]
    try:
        made = datetime.strptime(text, _STAMP).replace(tzinfo=now.tzinfo)
    except ValueError:
        return datetime.min.replace(tzinfo=now.tzinfo)
    return made if made <= now else datetime.min.replace(tzinfo=now.tzinfo)
