"""Keeping the count of finished games in the store."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from runner.store import games
from runner.store.engine import Store
from runner.store.tables import GameFileRow
from runner.triggers.games_folder import Cursor, FileNews, look

_log = logging.getLogger("ouroboros.games")


def count_new_games(
    store: Store, games_dir: Path, now: datetime, unreadable: Callable[[Path, OSError], None] | None = None
) -> int:
    """Count what has arrived in `games_dir`, piece by piece, and return the total of all games ever counted.

    May be called by several threads: a piece is counted only if the file's cursor still stands where it was read from.
    A file that cannot be read stops the count of no other; its games are counted once it can be.

    Args:
        unreadable: told of each such file; None: the log is.

    Raises:
        StateError: the database cannot be used.
        OSError: the folder cannot be read.
    """
    with store.read() as session:
        known = {path: Cursor(file.inode, file.offset_bytes) for path, file in games.counted(session).items()}
    for news in look(games_dir.absolute(), known, unreadable or _note):
        if not _keep(store, news, known.get(news.path), now):
            break
        known[news.path] = news.after
    with store.read() as session:
        return games.total(session)


def _note(path: Path, error: OSError) -> None:
    _log.debug("The games in %s cannot be read: %s", path, error.strerror)


def _keep(store: Store, news: FileNews, expected: Cursor | None, now: datetime) -> bool:
    """False if somebody else has moved the cursor meanwhile."""
    with store.write() as session:
        row = session.get(GameFileRow, news.path)
        stands = None if row is None else Cursor(row.inode, row.offset_bytes)
        if stands != expected:
            return False
        after = news.after
        games.advance(session, news.path, after.inode, after.offset_bytes, len(news.games), now)
        return True
