"""The state folder before any daemon: its folders, its locks, its database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from runner.leader import LeaderLock
from runner.single_instance import SingleInstanceLock, lock_of, refuse_second_name
from runner.store.engine import Store
from runner.store.migrate import stored_revision, upgrade
from schemas.database import HEAD, UpgradeReport, undo_unfinished
from schemas.errors import StateError
from schemas.settings import Settings


@contextmanager
def held(
    settings: Settings, store: Store, now: datetime, stand_by: Callable[[str], None] | None = None
) -> Iterator[LeaderLock | None]:
    """No other daemon serves this folder or this database meanwhile; two folders may name one database.

    Args:
        stand_by: as `LeaderLock`'s: for a database on a server, whose lead can be waited for.

    Returns:
        The lead of a server's database; None for a file.

    Raises:
        StateError: another one does, or the folder cannot be written.
    """
    with ExitStack() as stack:
        home = settings.home
        stack.enter_context(SingleInstanceLock(lock_of(home, None), home, "state folder", now))
        if store.path is not None:
            database_lock = lock_of(home, store.path)
            stack.enter_context(SingleInstanceLock(database_lock, home, "database", now))
            undo_unfinished(store.path)
            refuse_second_name(store.path)
        yield stack.enter_context(LeaderLock(store, stand_by)) if store.path is None else None


@contextmanager
def held_target(settings: Settings, target: Store, now: datetime) -> Iterator[None]:
    """No daemon serves this other database meanwhile, which may not be there yet.

    Raises:
        StateError: one does.
    """
    with ExitStack() as stack:
        if target.path is None:
            stack.enter_context(LeaderLock(target, None))
        else:
            lock = lock_of(settings.home, target.path)
            stack.enter_context(SingleInstanceLock(lock, settings.home, "database", now))
        yield


def make_folders(settings: Settings) -> None:
    """The folders that people put files into, and those that runs are kept in.

    Raises:
        StateError: they cannot be made.
    """
    for folder in (settings.games_dir, settings.triggers_dir, settings.runs_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"cannot make the state folder: {error.strerror}",
                where=str(folder),
                remedy="Check the owner of the folder above, or name another one with OUROBOROS_HOME.",
            ) from error


def prepare(settings: Settings, store: Store, now: datetime) -> UpgradeReport:
    """Make all of it, or bring an older database up to date, without a daemon. One that is up to date is left alone, so
    that this may be said at any time.

    Raises:
        StateError: a daemon of another version serves it, or folder or database cannot be made.
    """
    if stored_revision(store) == HEAD:
        make_folders(settings)
        return UpgradeReport(before=HEAD, after=HEAD)
    with held(settings, store, now):
        make_folders(settings)
        return upgrade(store, settings.storage.keep_backups, now)
