"""Games that are being played now: what the work tells of them (`schemas/live_game.py`), followed as it is written."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
from pydantic import ValidationError

from schemas.game import GameLog, GameLogFrame, GameLogOutcome, GameLogSettings, GameLogSnake
from schemas.live_game import LiveEnd, LiveGame, LiveSource, live_file, watched_file

FRESH_S = 120.0
"""A game of which nothing was told for so long is none that is being played."""
_CHUNK_BYTES = 256 << 10
"""Read of a file at one look."""


@dataclass(slots=True)
class News:
    """What a look at one file brought."""

    source: LiveSource
    game: LiveGame | None = None
    """It began; None: the one that was known goes on."""
    frames: list[GameLogFrame] = field(default_factory=list)
    end: LiveEnd | None = None


@dataclass(slots=True)
class _Place:
    """How far a file was read."""

    inode: int
    read: int = 0


class Follower:
    """One reader of all files; each look brings what has come since the last."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._places: dict[LiveSource, _Place] = {}

    def news(self, now_s: float) -> Iterator[News]:
        """What is new, file by file; a file of an old game brings nothing.

        Args:
            now_s: the wall clock, as `time.time` tells it: the files' own times are compared with it.
        """
        for source in LiveSource:
            found = self._look(source, live_file(self._home, source), now_s)
            if found is not None:
                yield found

    def _look(self, source: LiveSource, path: Path, now_s: float) -> News | None:
        try:
            with path.open("rb") as handle:
                seen = os.fstat(handle.fileno())
                place = self._places.get(source)
                if place is None or place.inode != seen.st_ino or seen.st_size < place.read:
                    if now_s - seen.st_mtime > FRESH_S:
                        return None
                    place = self._places[source] = _Place(seen.st_ino)
                if seen.st_size == place.read:
                    return None
                handle.seek(place.read)
                data = handle.read(_CHUNK_BYTES)
        except OSError:
            return None
        whole = data[: data.rfind(b"\n") + 1]
        first = place.read == 0
        place.read += len(whole)
        return _understood(source, whole.splitlines(), first) if whole else None


def _understood(source: LiveSource, lines: list[bytes], first: bool) -> News | None:
    """Lines that are none are passed over; without its first one a game is not known."""
    news = News(source)
    try:
        if first:
            news.game = LiveGame.model_validate(orjson.loads(lines[0]))
            lines = lines[1:]
        for line in lines:
            tree = orjson.loads(line)
            if "causes" in tree:
                news.end = LiveEnd.model_validate(tree)
            else:
                news.frames.append(GameLogFrame.model_validate(tree))
    except (ValueError, TypeError, ValidationError):
        if first and news.game is None:
            return None
    if news.game is not None and any(not 0 <= s[0] < len(news.game.names) for f in news.frames for s in f.s):
        return None
    return news


def newest(home: Path) -> tuple[GameLog, LiveGame] | None:
    """The game that began last and is still told of, as a log of what was played so far; None: there is none."""
    found = [news for news in Follower(home).news(time.time()) if news.game is not None and news.frames]
    best: News | None = max(found, key=_began, default=None)
    if best is None or best.game is None:
        return None
    game = best.game
    log = GameLog(
        game_id=game.game_id, ruleset=game.ruleset, map=game.map, source=game.source.value, timeout_ms=0,
        settings=GameLogSettings(), width=game.width, height=game.height, you=0, outcome=GameLogOutcome.DRAW,
        snakes=[GameLogSnake(id=str(seat), name=name) for seat, name in enumerate(game.names)],
        turns=best.frames[-1].t, frames=best.frames,
    )  # fmt: skip
    return log, game


def say_somebody_looks(home: Path) -> bool:
    """Let whoever plays know that games are looked at now; False where the folder cannot be written."""
    path = watched_file(home)
    try:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    except OSError:
        return False
    return True


def _began(news: News) -> datetime:
    assert news.game is not None
    return news.game.began_at
