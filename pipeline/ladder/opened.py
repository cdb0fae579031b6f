"""The parts that a command or the daemon's child needs, put together."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from pipeline.folder_lock import held
from pipeline.ladder.client import ArenaClient
from pipeline.ladder.connection import Connection
from pipeline.ladder.remembered import RememberedAnswers
from pipeline.ladder.sync import Sync
from pipeline.registry.database import RegistryDatabase
from schemas.errors import MachineError
from schemas.ladder import SyncReport
from schemas.settings import Settings

WHO = "synchronisation with the Arena"


def client_for(settings: Settings, token: str, limit_s: float) -> ArenaClient:
    """Return a client that begins nothing after `limit_s`."""
    arena = settings.arena
    connection = Connection(arena.base_url, token, arena.call_limit_s, arena.requests_per_s)
    remembered = RememberedAnswers.of(settings.arena_dir, arena.base_url, token)
    return ArenaClient(connection, time.monotonic() + limit_s, remembered)


def database_of(settings: Settings, *, create: bool) -> RegistryDatabase:
    """Return the history's database; `create`: make or upgrade it if need be.

    Raises:
        StateError: it cannot be used.
    """
    return RegistryDatabase(settings.database_url, settings.storage, create=create)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Hold the Arena's folder: one process at a time fetches games or asks for them.

    Raises:
        FolderInUseError: another one does.
        MachineError: the folder cannot be made.
    """
    with held(settings.arena_dir, WHO):
        settings.arena_dir.chmod(0o700)
        yield


def synchronise(
    settings: Settings,
    token: str,
    now: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda _line: None,
) -> SyncReport:
    """Fetch what is new.

    Raises:
        FolderInUseError: another process does so.
        MachineError, StateError: folder or database cannot be used.
    """
    with locked(settings):
        settings.games_dir.mkdir(parents=True, exist_ok=True)
        database = database_of(settings, create=True)
        client = client_for(settings, token, settings.arena.sync_limit_s)
        report = Sync(client, database, settings.arena, settings.games_dir, now, stopping, tell).run()
        try:
            client.remembered.save()
        except OSError as error:
            raise MachineError(
                f"the Arena's folder cannot be written: {error.strerror}", where=str(settings.arena_dir)
            ) from error
    return report
