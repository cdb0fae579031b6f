"""What `ouroboros doctor` says of the public Arena: is it asked, with what, and how did it go last?"""

import os
from datetime import UTC, datetime

from runner.store import ladder
from runner.store.engine import Store
from runner.store.migrate import stored_revision
from schemas.database import HEAD
from schemas.errors import MachineError, OuroborosError, SettingsError
from schemas.ladder import TOKEN_VARIABLE
from schemas.secrets import arena_token_path, has_arena_token
from schemas.settings import Settings
from schemas.times import duration


def check_arena(settings: Settings) -> str:
    """Look at the token's file (not into it) and at the newest synchronisation; the Arena is not asked.

    Raises:
        SettingsError: others may read the token.
        MachineError: the newest synchronisation ended early.
    """
    if not has_arena_token(settings):
        return "not asked: there is no token (`ouroboros arena login`)"
    path = arena_token_path(settings)
    if not os.environ.get(TOKEN_VARIABLE) and path.stat().st_mode & 0o077:
        raise SettingsError("others may read the Arena's token", where=str(path), remedy=f"chmod 600 {path}")
    every = settings.arena.sync_minutes
    often = f"every {every:g} minutes" if every else "never by itself (arena.sync_minutes is 0)"
    last = _last_sync(settings)
    if last is None:
        return f"asked {often}; not yet"
    ago = duration(datetime.now(UTC) - last.ended_at)
    if last.trouble:
        raise MachineError(f"the Arena: {ago} ago: {last.trouble}", where=settings.arena.base_url)
    return f"{settings.arena.base_url} asked {often}, last {ago} ago: {last.games} games fetched, {last.waiting} wait"


def _last_sync(settings: Settings) -> ladder.LastSync | None:
    """None too where the database cannot tell, which is told by its own check."""
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        if stored_revision(store) != HEAD:
            return None
        with store.read() as session:
            return ladder.last_sync(session)
    except OuroborosError:
        return None
    finally:
        store.close()
