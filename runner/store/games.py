"""How many production games have arrived, counted file by file from where the last look stopped."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from runner.store.tables import GameFileRow


@dataclass(frozen=True, slots=True)
class GameFile:
    """One file of games and how far it has been counted."""

    path: Path
    inode: int
    offset_bytes: int
    """Everything before is counted; always just after a complete line."""
    games: int
    """Games counted in it, over all files that stood at this path."""
    first_seen_at: datetime
    last_grown_at: datetime


def counted(session: Session) -> dict[Path, GameFile]:
    """Every file known, by path."""
    return {row.path: _to_file(row) for row in session.scalars(select(GameFileRow))}


def advance(session: Session, path: Path, inode: int, offset_bytes: int, new_games: int, now: datetime) -> None:
    """Move a file's cursor and add the games found on the way.

    A file that was replaced (another inode) or removed keeps its row and its games: the total never falls, so that a
    trigger's cursor, which is a total, stays true.
    """
    row = session.get(GameFileRow, path)
    if row is None:
        session.add(
            GameFileRow(
                path=path,
                inode=inode,
                offset_bytes=offset_bytes,
                games=new_games,
                first_seen_at=now,
                last_grown_at=now,
            )
        )
    else:
        row.inode, row.offset_bytes = inode, offset_bytes
        if new_games:
            row.games, row.last_grown_at = row.games + new_games, now
    session.flush()


def total(session: Session) -> int:
    """All games counted so far. It only rises: new games since a moment are the difference to the total then."""
    return session.scalar(select(func.coalesce(func.sum(GameFileRow.games), 0))) or 0


def _to_file(row: GameFileRow) -> GameFile:
    return GameFile(
        path=row.path,
        inode=row.inode,
        offset_bytes=row.offset_bytes,
        games=row.games,
        first_seen_at=row.first_seen_at,
        last_grown_at=row.last_grown_at,
    )
