"""What the daemon's child does: synchronise, then think over the newest lost games."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from pipeline.folder_lock import held
from pipeline.ladder import game_rows
from pipeline.ladder.client import ArenaClient
from pipeline.ladder.connection import AnswerCache, ArenaConnection
from pipeline.ladder.sync import Sync
from pipeline.ladder.token import required_token
from pipeline.ladder.why import explain
from pipeline.registry.database import RegistryDatabase
from schemas.errors import DataError, MachineError, OuroborosError
from schemas.ladder import SyncReport
from schemas.outside_text import LINE_LIMIT, line
from schemas.settings import Settings

WHO = "synchronisation with the Arena"
_AT_FAULT_MOST = 2


def synchronise_for_daemon(settings: Settings) -> SyncReport:
    """Fetch what is new, and think over lost games that nobody has thought over.

    Raises:
        ArenaError, SettingsError: there is no token.
        FolderInUseError: a person does so just now.
        MachineError, StateError: folder or database cannot be used.
    """
    report = synchronise(settings, required_token(settings), partial(datetime.now, UTC))
    notes = explain_losses(settings)
    return report.model_copy(update={"notes": [*report.notes, *notes]})


def explain_losses(settings: Settings) -> list[str]:
    """Think over the newest lost ladder games, as many as the settings allow; return what was found, in words. What
    cannot be thought over is told and tried again the next time; two games of which our snake or the disk is at fault
    end it."""
    told: list[str] = []
    at_fault = 0
    database = database_of(settings, create=False)
    with database.read() as connection:
        lost = game_rows.lost_unexplained(connection, settings.arena.explain_losses)
    for row in lost:
        try:
            found = explain(settings, row, settings.arena.explain_turns, datetime.now(UTC))
        except OuroborosError as error:
            told.append(line(f"game {row['game_id']} cannot be thought over: {error}", LINE_LIMIT))
            at_fault += not isinstance(error, DataError)
            if at_fault == _AT_FAULT_MOST:
                break
            continue
        with database.write() as connection:
            game_rows.note_why(connection, found)
        told.append(line(f"game {found.game_id}: {found.verdict}", LINE_LIMIT))
    return told


def client_for(settings: Settings, token: str, limit_s: float) -> ArenaClient:
    """Return a client that begins nothing after `limit_s`."""
    arena = settings.arena
    connection = ArenaConnection(arena.base_url, token, arena.call_limit_s, arena.requests_per_s)
    remembered = AnswerCache.of(settings.arena_dir, arena.base_url, token)
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
