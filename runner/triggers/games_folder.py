"""Reading the finished games that arrive in the games folder, each line once, from where the last look stopped, and
keeping their count in the store.

A line counts when it is complete and tells of a finished game in the format of `schemas.game`; anything else complete
is malformed and passed over; an incomplete last line waits. A file is known again by its inode, also under another
name, so that rotation by rename counts nothing twice; a file that was replaced or cut short is read from its beginning
(one that took over a removed one's inode is told by the byte before where that was read to, which ended a line).
A game that the same file already told of within its last megabyte (same game, same snake) is a duplicate.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from schemas.files import inode_of
from schemas.game import GAME_LOG_FORMAT, GAME_LOG_SUFFIX, GameLogOutcome, in_utc
from schemas.outside_text import line

if TYPE_CHECKING:
    from runner.store.engine import Store

CHUNK_BYTES = 16 << 20
"""A file is told of in pieces of about this size, so that a first look at years of games stays small."""
MAX_LINE_BYTES = 32 << 20
TAIL_BYTES = 1 << 20
_log = logging.getLogger("ouroboros.games")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a file has been read."""

    inode: int
    offset_bytes: int
    """Always just after a complete line."""


@dataclass(frozen=True, slots=True)
class LoggedGame:
    """What a line tells of a game, without its frames."""

    game_id: str
    you_id: str
    you_name: str
    outcome: GameLogOutcome
    snakes: int
    ended_at: datetime | None
    imported: bool


@dataclass(frozen=True, slots=True)
class FileNews:
    """A piece of one file, read for the first time."""

    path: Path
    before: Cursor | None
    """Where it was read to before; None: a new file, or a new one under an old name."""
    after: Cursor
    games: tuple[LoggedGame, ...]
    malformed: int
    duplicates: int


def look(
    folder: Path, known: Mapping[Path, Cursor], unreadable: Callable[[Path, OSError], None] | None = None
) -> Iterator[FileNews]:
    """What has arrived since `known`, file by file in the order of their names, in pieces of about `CHUNK_BYTES`.

    A missing folder has no news. Nothing is kept between calls: pass the cursors that came out of the last one.

    Args:
        unreadable: told of each file that cannot be read, and the others are read all the same.

    Raises:
        OSError: the folder cannot be read, or, without `unreadable`, one of its files.
    """
    by_inode = {cursor.inode: cursor for cursor in known.values()}
    for path, status in _log_files(folder):
        if not _can_be_stored(path):
            if unreadable is not None:
                unreadable(path, OSError(errno.EILSEQ, "its name is not UTF-8, or holds control characters; rename it"))
            continue
        cursor = known.get(path)
        if cursor == Cursor(inode_of(status), status.st_size):
            continue
        try:
            yield from _read_on(path, cursor, by_inode.get(inode_of(status)))
        except OSError as error:
            if unreadable is None:
                raise
            unreadable(path, error)


def read_game(line: bytes) -> LoggedGame | None:
    """The game of one line, None if it tells of none. The frames are not looked into."""
    try:
        tree = orjson.loads(line)
        return _to_game(tree)
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError):
        return None


def _log_files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            named = [entry for entry in entries if _is_log(entry)]
            return sorted((Path(entry.path), entry.stat(follow_symlinks=False)) for entry in named)
    except FileNotFoundError:
        return []


def _can_be_stored(path: Path) -> bool:
    return line(path.name, 0) == path.name


def _is_log(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    return name.endswith(GAME_LOG_SUFFIX) and not name.startswith(".") and entry.is_file(follow_symlinks=False)


def _read_on(path: Path, at_path: Cursor | None, of_inode: Cursor | None) -> Iterator[FileNews]:
    try:
        handle = path.open("rb")
    except FileNotFoundError:
        return  # rotated away since the listing; seen under its new name next time
    with handle:
        status = os.fstat(handle.fileno())
        same = at_path if at_path is not None and at_path.inode == inode_of(status) else of_inode
        before = same if same is not None and _still_holds(handle, same, status) else None
        cursor = before or Cursor(inode_of(status), 0)
        seen = _tail_ids(handle, cursor.offset_bytes)
        while True:
            news = _read_piece(handle, path, before, cursor, seen)
            if news.after == before:
                return
            yield news
            if news.after.offset_bytes - cursor.offset_bytes < CHUNK_BYTES:
                return
            before = cursor = news.after


def _still_holds(handle: BinaryIO, cursor: Cursor, status: os.stat_result) -> bool:
    """False when the file was cut short, or another one has come to bear its inode."""
    if cursor.inode != inode_of(status) or status.st_size < cursor.offset_bytes:
        return False
    if cursor.offset_bytes == 0:
        return True
    handle.seek(cursor.offset_bytes - 1)
    return handle.read(1) == b"\n"


def _tail_ids(handle: BinaryIO, offset: int) -> set[tuple[str, str]]:
    """The games told of just before `offset`."""
    start = max(0, offset - TAIL_BYTES)
    handle.seek(start)
    lines = handle.read(offset - start).splitlines()
    games = (read_game(line) for line in (lines if start == 0 else lines[1:]))
    return {(game.game_id, game.you_id) for game in games if game is not None}


def _read_piece(
    handle: BinaryIO, path: Path, before: Cursor | None, cursor: Cursor, seen: set[tuple[str, str]]
) -> FileNews:
    handle.seek(cursor.offset_bytes)
    offset, malformed, duplicates = cursor.offset_bytes, 0, 0
    games: list[LoggedGame] = []
    while offset - cursor.offset_bytes < CHUNK_BYTES:
        line, length = _next_line(handle)
        if length == 0:
            break
        offset += length
        if not line.strip():
            continue
        game = read_game(line)
        if game is None:
            malformed += 1
        elif (game.game_id, game.you_id) in seen:
            duplicates += 1
        else:
            seen.add((game.game_id, game.you_id))
            games.append(game)
    return FileNews(path, before, Cursor(cursor.inode, offset), tuple(games), malformed, duplicates)


def _next_line(handle: BinaryIO) -> tuple[bytes, int]:
    """The next complete line and its length in the file; a line too long to be a game comes cut, and so malformed."""
    line = handle.readline(MAX_LINE_BYTES)
    length = len(line)
    rest = line
    while rest and not rest.endswith(b"\n"):
        rest = handle.readline(MAX_LINE_BYTES)
        length += len(rest)
    return (line, length) if rest else (b"", 0)


def _to_game(tree: dict[str, Any]) -> LoggedGame | None:
    you, snakes = tree["you"], tree["snakes"]
    if tree["format"] != GAME_LOG_FORMAT or not isinstance(tree["game_id"], str) or not tree["game_id"]:
        return None
    if not isinstance(you, int) or you < 0:
        return None
    ended_at = tree.get("ended_at")
    return LoggedGame(
        game_id=tree["game_id"],
        you_id=str(snakes[you]["id"]),
        you_name=str(snakes[you].get("name", "")),
        outcome=GameLogOutcome(tree["outcome"]),
        snakes=len(snakes),
        ended_at=in_utc(datetime.fromisoformat(ended_at)) if ended_at else None,
        imported=bool(tree.get("imported_from")),
    )


def count_new_games(
    store: "Store", games_dir: Path, now: datetime, unreadable: Callable[[Path, OSError], None] | None = None
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
    from runner.store import games  # the pages name the conditions and load no ORM

    with store.read() as session:
        known = {path: Cursor(file.inode, file.offset_bytes) for path, file in games.counted(session).items()}
    for news in look(games_dir.absolute(), known, unreadable or note_unreadable):
        if not _keep(store, news, known.get(news.path), now):
            break
        known[news.path] = news.after
    with store.read() as session:
        return games.total(session)


def note_unreadable(path: Path, error: OSError) -> None:
    """For whoever goes on without such a file: the count of games tells of it."""
    _log.debug("The games in %s cannot be read: %s", path, error.strerror)


def _keep(store: "Store", news: FileNews, expected: Cursor | None, now: datetime) -> bool:
    """False if somebody else has moved the cursor meanwhile."""
    from runner.store import games
    from runner.store.tables import GameFileRow

    with store.write() as session:
        row = session.get(GameFileRow, news.path)
        stands = None if row is None else Cursor(row.inode, row.offset_bytes)
        if stands != expected:
            return False
        after = news.after
        games.advance(session, news.path, after.inode, after.offset_bytes, len(news.games), now)
        return True
