"""Which games there are: an index of the games folder and of kept replays, made here and made anew whenever it is lost.

Games are lines of files (`schemas/game.py`) or whole replay files in the official command's form. The index holds where
each one lies and what people filter by; it follows the files as they grow. It is `web/games.db` in the state folder.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson
from pydantic import ValidationError

from runner.web.read import replay_files
from runner.web.read.board import Death, deaths
from runner.web.read.remade import RemadeDatabase
from schemas.files import inode_of
from schemas.game import GAME_LOG_SUFFIX, GameLog
from schemas.outside_text import line
from schemas.times import to_text

LOOK_S = 0.1
"""How long a page waits for the index; what is left is read behind it."""
PATIENCE_S = 3.0
"""How long the page of one game waits for it to be found."""
MOST_BYTES = 32 << 20
"""Of one game; a longer line is none."""
_VERSION = 1
_MOST_NUMBER = 2**63 - 1  # that a row holds
_log = logging.getLogger("ouroboros.web")
_SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, inode INTEGER NOT NULL, read INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE games (
    id INTEGER PRIMARY KEY, game_id TEXT NOT NULL, path TEXT NOT NULL, offset INTEGER NOT NULL, bytes INTEGER NOT NULL,
    ended_at TEXT, imported INTEGER NOT NULL, ruleset TEXT NOT NULL, map TEXT NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, turns INTEGER NOT NULL, outcome TEXT NOT NULL, you TEXT NOT NULL, seats INTEGER NOT NULL);
CREATE INDEX games_by_id ON games (game_id);
CREATE INDEX games_by_path ON games (path);
CREATE TABLE seats (
    game INTEGER NOT NULL REFERENCES games ON DELETE CASCADE, seat INTEGER NOT NULL, name TEXT NOT NULL,
    length INTEGER NOT NULL, died_on INTEGER, cause TEXT NOT NULL, PRIMARY KEY (game, seat)) WITHOUT ROWID;
CREATE INDEX seats_by_name ON seats (name, game);
"""

_FIRST_OF_ITS_ID = """NOT EXISTS (SELECT 1 FROM games AS other WHERE other.game_id = games.game_id
    AND (other.imported, other.id) < (games.imported, games.id))"""


@dataclass(frozen=True, slots=True)
class IndexedSeat:
    """One snake of a game."""

    name: str
    length: int
    died_on: int | None
    """None: it lived."""
    cause: str
    """Empty: it lived, or nobody can say."""


@dataclass(frozen=True, slots=True)
class IndexedGame:
    """A game of the index."""

    row: int
    game_id: str
    path: Path
    offset: int
    bytes: int
    ended_at: str | None
    imported: bool
    ruleset: str
    map: str
    width: int
    height: int
    turns: int
    outcome: str
    you: str
    seats: tuple[IndexedSeat, ...] = ()


@dataclass(frozen=True, slots=True)
class GameFilter:
    """Which games; empty fields let everything through."""

    snake: str = ""
    outcome: str = ""
    """For the snake whose game it is."""
    cause: str = ""
    """Of the death of any snake, or of the named one."""
    turns_from: int | None = None
    turns_to: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Ended from then on, before then; a game whose file tells no time is of no day."""
    before: int | None = None


class GameIndex:
    """Safe to use from several threads.

    Args:
        folders: of game logs, and of replays.
        home: the state folder; where it may not be written, the index is kept in memory.

    An index that is damaged, or whose disk takes no more, is made anew.
    """

    def __init__(self, folders: tuple[Path, ...], home: Path) -> None:
        self._folders = folders
        self._database = RemadeDatabase(home / "web" / "games.db", _SCHEMA, _VERSION)
        self._lock = threading.Lock()
        self._behind: threading.Thread | None = None
        self._closed = False
        self._passed_over = set[Path]()
        self.pending_bytes = 0
        """Of the files, not read yet at the last look."""

    def refresh(self) -> None:
        """Follow the files for a moment; what is left is read on behind this call."""
        with self._lock:
            self._read_on(LOOK_S)
            if self.pending_bytes and (self._behind is None or not self._behind.is_alive()):
                self._behind = threading.Thread(target=self._finish, name="game-index", daemon=True)
                self._behind.start()

    def find(self, wanted: GameFilter, limit: int) -> list[IndexedGame]:
        """Games that fit, the newest first, in the order in which they came to be known."""
        # Once each: several snakes of ours may have logged a game, and its replay may be kept beside.
        where, values = [_FIRST_OF_ITS_ID], list[str | int]()
        if wanted.before is not None:
            where, values = [*where, "games.id < ?"], [*values, wanted.before]
        if wanted.outcome:
            where, values = [*where, "outcome = ?"], [*values, wanted.outcome]
        if wanted.turns_from is not None:
            where, values = [*where, "turns >= ?"], [*values, wanted.turns_from]
        if wanted.turns_to is not None:
            where, values = [*where, "turns <= ?"], [*values, wanted.turns_to]
        if wanted.since is not None:
            where, values = [*where, "ended_at >= ?"], [*values, to_text(wanted.since)]
        if wanted.until is not None:
            where, values = [*where, "ended_at < ?"], [*values, to_text(wanted.until)]
        if wanted.snake or wanted.cause:
            seat, given = _seat_condition(wanted)
            where, values = [*where, seat], [*values, *given]
        statement = f"SELECT * FROM games WHERE {' AND '.join(where)} ORDER BY games.id DESC LIMIT ?"  # noqa: S608
        with self._lock:
            return self._database.ask(
                lambda database: [_game(database, row) for row in database.execute(statement, (*values, limit))]
            )

    def get(self, game_id: str) -> IndexedGame | None:
        """A game by its id; where it is kept several times, our first snake's own log: it tells what was thought."""
        statement = "SELECT * FROM games WHERE game_id = ? ORDER BY imported, id LIMIT 1"
        with self._lock:
            return self._database.ask(
                lambda database: next((_game(database, row) for row in database.execute(statement, (game_id,))), None)
            )

    def look_for(self, game_id: str) -> IndexedGame | None:
        """A game by its id; while files are still being read, it is waited for a little: its link may be new."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            self.refresh()
            found = self.get(game_id)
            if found is not None or not self.pending_bytes or time.monotonic() > deadline_s:
                return found

    def snakes(self, limit: int) -> list[str]:
        """Names of snakes, those with the most games first."""
        statement = "SELECT name FROM seats GROUP BY name ORDER BY count(*) DESC, name LIMIT ?"
        with self._lock:
            return self._database.ask(lambda database: [row[0] for row in database.execute(statement, (limit,))])

    def count(self) -> int:
        """How many games it holds."""
        with self._lock:
            statement = "SELECT count(DISTINCT game_id) FROM games"
            return self._database.ask(lambda database: int(database.execute(statement).fetchone()[0]))

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._closed = True
            self._database.close()

    def _finish(self) -> None:
        while True:
            with self._lock:
                if self._closed or not self.pending_bytes:
                    return
                self._read_on(LOOK_S)
            time.sleep(0.01)  # let a page in between

    def _read_on(self, budget_s: float) -> None:
        deadline_s = time.monotonic() + budget_s
        self.pending_bytes = self._database.change(lambda database: self._look(database, deadline_s))

    def _look(self, database: sqlite3.Connection, deadline_s: float) -> int:
        """Read on in all files; bytes that are left."""
        known = {row["path"]: row for row in database.execute("SELECT * FROM files")}
        found = {str(path): path for folder in self._folders for path in self._named(folder)}
        for gone in known.keys() - found.keys():
            _forget(database, gone)
        new_first = sorted(found, key=lambda name: name in known)
        return sum(self._follow(database, found[name], known.get(name), deadline_s) for name in new_first)

    def _named(self, folder: Path) -> Iterator[Path]:
        """Its files of games; one whose name is no text can be neither kept nor linked to, which is said once."""
        for path in _game_files(folder):
            try:
                str(path).encode()
            except UnicodeEncodeError:
                if path not in self._passed_over:
                    self._passed_over.add(path)
                    _log.warning("%s is passed over: its name is not UTF-8; rename it", line(str(path), 0))
            else:
                yield path

    def _follow(self, database: sqlite3.Connection, path: Path, row: sqlite3.Row | None, deadline_s: float) -> int:
        """Read on in one file; bytes that are left of it."""
        try:
            seen = path.stat()
        except OSError:
            return 0
        start = row["read"] if row is not None else 0
        if row is not None and (row["inode"] != inode_of(seen) or seen.st_size < start):
            _forget(database, str(path))
            start = 0
        if start >= seen.st_size:
            return 0
        if time.monotonic() >= deadline_s:
            return seen.st_size - start
        end = start
        try:
            for log, offset, size in _games_of(path, start):
                end = offset + size
                if log is not None:
                    _add(database, path, log, offset, size)
                if time.monotonic() >= deadline_s:
                    break
        except OSError:
            return 0
        database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (str(path), inode_of(seen), end))
        return seen.st_size - end if end < seen.st_size and end > start else 0


def _game(database: sqlite3.Connection, row: sqlite3.Row) -> IndexedGame:
    seats = database.execute("SELECT * FROM seats WHERE game = ? ORDER BY seat", (row["id"],))
    return IndexedGame(
        row=row["id"],
        game_id=row["game_id"],
        path=Path(row["path"]),
        offset=row["offset"],
        bytes=row["bytes"],
        ended_at=row["ended_at"],
        imported=bool(row["imported"]),
        ruleset=row["ruleset"],
        map=row["map"],
        width=row["width"],
        height=row["height"],
        turns=row["turns"],
        outcome=row["outcome"],
        you=row["you"],
        seats=tuple(IndexedSeat(seat["name"], seat["length"], seat["died_on"], seat["cause"]) for seat in seats),
    )


def load(game: IndexedGame) -> GameLog | None:
    """The game itself, read from its file; None: it is not there any more."""
    try:
        if replay_files.is_replay(game.path):
            return replay_files.read(game.path)
        with game.path.open("rb") as handle:
            handle.seek(game.offset)
            return _parsed(handle.read(game.bytes))
    except OSError:
        return None


def _seat_condition(wanted: GameFilter) -> tuple[str, list[str]]:
    parts, values = list[str](), list[str]()
    if wanted.snake:
        parts, values = [*parts, "name = ?"], [*values, wanted.snake]
    if wanted.cause:
        parts, values = [*parts, "cause = ?"], [*values, wanted.cause]
    return f"games.id IN (SELECT game FROM seats WHERE {' AND '.join(parts)})", values  # noqa: S608


def _game_files(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        named = entry.name.endswith(GAME_LOG_SUFFIX) or replay_files.is_replay(entry)
        if named and not entry.name.startswith(".") and entry.is_file():
            yield entry


def _games_of(path: Path, start: int) -> Iterator[tuple[GameLog | None, int, int]]:
    """Games from `start` on, each with the place and size of its line; a line that is none stops no other."""
    if replay_files.is_replay(path):
        yield replay_files.read(path), 0, path.stat().st_size
        return
    with path.open("rb") as handle:
        handle.seek(start)
        while line := handle.readline(MOST_BYTES):
            if not line.endswith(b"\n") and len(line) < MOST_BYTES:
                return  # still being written
            yield _parsed(line), start, len(line)
            start += len(line)


def _parsed(line: bytes) -> GameLog | None:
    try:
        return GameLog.model_validate(orjson.loads(line))
    except (ValueError, ValidationError):
        return None


def _forget(database: sqlite3.Connection, path: str) -> None:
    database.execute("DELETE FROM games WHERE path = ?", (path,))
    database.execute("DELETE FROM files WHERE path = ?", (path,))


def _add(database: sqlite3.Connection, path: Path, log: GameLog, offset: int, size: int) -> None:
    ended = to_text(log.ended_at) if log.ended_at is not None else None
    row = (log.game_id, str(path), offset, size, ended, int(bool(log.imported_from)), log.ruleset, log.map, log.width,
           log.height, log.turns, log.outcome.value, log.snakes[log.you].name, len(log.snakes))  # fmt: skip
    ends = {death.snake: death for death in deaths(log)}
    lengths = {entry[0]: entry[2] for frame in log.frames for entry in frame.s}
    seats = [(seat, snake.name, lengths.get(seat, 0), *_end(ends.get(seat))) for seat, snake in enumerate(log.snakes)]
    if any(isinstance(value, int) and abs(value) > _MOST_NUMBER for told in (row, *seats) for value in told):
        return  # numbers that no game has
    number = database.execute(
        "INSERT INTO games (game_id, path, offset, bytes, ended_at, imported, ruleset, map, width, height, turns, "
        "outcome, you, seats) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    ).lastrowid
    database.executemany("INSERT INTO seats VALUES (?, ?, ?, ?, ?, ?)", [(number, *told) for told in seats])


def _end(death: Death | None) -> tuple[int | None, str]:
    return (None, "") if death is None else (death.turn, death.cause)
