"""Games in hand: how many snakes began each, and, where a folder is named, the finished ones as lines of its log.

The format is `schemas.game`'s. A line is appended by one write to a file opened for appending and then synced, so that
several snakes may share a file; where the file ends in part of a line, the next begins with a line break.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from schemas.game import (
    GAME_LOG_SUFFIX,
    GameLog,
    GameLogFrame,
    GameLogOutcome,
    GameLogSettings,
    GameLogSnake,
    GameLogThought,
)
from schemas.outside_text import NAME_LIMIT, line

MOST_GAMES: Final = 1000
"""One more drops the game that has been silent longest."""
MOST_TURNS: Final = 20_000
"""Turns after which a game is no longer recorded."""
_MOST_NAME: Final = 64
Cells = list[int]
_Told = TypeVar("_Told", int, str)


class GameInHand:
    """One game as one of our snakes sees it."""

    def __init__(self, request: Mapping[str, Any], now: datetime) -> None:
        """Begin with the first request of it that came.

        Raises:
            KeyError, TypeError: a field is missing or of another kind.
        """
        self._first: Final = request
        self._index: Final[dict[str, int]] = {}
        self._names: Final[list[str]] = []
        self._frames: Final[list[GameLogFrame]] = []
        self._started: Final = now
        self._food: Cells = []
        self._hazards: Cells = []
        self._turn = -1
        self._meet(request)
        self.seats: Final = len(request["board"]["snakes"])
        """Snakes on the board when we first saw it."""

    def add(self, request: Mapping[str, Any], thought: GameLogThought | None = None) -> None:
        """Add the board of a turn, and what was thought of it, unless that turn has been seen."""
        board, turn = request["board"], int(request["turn"])
        if turn <= self._turn or len(self._frames) >= MOST_TURNS:
            return
        self._meet(request)
        snakes = board["snakes"]
        whole = not self._frames or turn != self._turn + 1
        food, hazards = _flat(board["food"]), _flat(board["hazards"])
        self._frames.append(
            GameLogFrame(
                t=turn,
                s=[(self._index[s["id"]], s["health"], len(s["body"]), *_head(s)) for s in snakes],
                b=[(self._index[s["id"]], _flat(s["body"])) for s in snakes] if whole else None,
                f=food if food != self._food else None,
                z=hazards if hazards != self._hazards else None,
                l=_told(self._index, snakes, "latency", _milliseconds) or None,
                w=_told(self._index, snakes, "shout", _words) or None,
                k=thought,
            )
        )
        self._food, self._hazards, self._turn = food, hazards, turn

    def finish(self, request: Mapping[str, Any], now: datetime) -> GameLog | None:
        """Return the game's log, given its /end; None if no move of it was ever seen, or it was too long."""
        if not self._frames or len(self._frames) >= MOST_TURNS:
            return None
        self.add(request)
        game, board = self._first["game"], self._first["board"]
        settings = game["ruleset"].get("settings") or {}
        return GameLog(
            game_id=game["id"],
            ruleset=game["ruleset"]["name"],
            map=game.get("map") or "",
            source=game.get("source") or "",
            timeout_ms=game.get("timeout") or 0,
            settings=GameLogSettings(
                foodSpawnChance=settings.get("foodSpawnChance", 0),
                minimumFood=settings.get("minimumFood", 0),
                hazardDamagePerTurn=settings.get("hazardDamagePerTurn", 0),
                shrinkEveryNTurns=(settings.get("royale") or {}).get("shrinkEveryNTurns", 0),
            ),
            width=board["width"],
            height=board["height"],
            you=self._index[request["you"]["id"]],
            snakes=[GameLogSnake(id=i, name=n) for i, n in zip(self._index, self._names, strict=True)],
            outcome=_outcome(request, len(self._index) == 1),
            turns=max(self._turn, int(request["turn"])),
            started_at=self._started,
            ended_at=now,
            frames=self._frames,
        )

    def _meet(self, request: Mapping[str, Any]) -> None:
        for snake in (*request["board"]["snakes"], request["you"]):
            if snake["id"] not in self._index:
                self._index[snake["id"]] = len(self._index)
                self._names.append(snake.get("name") or "")


class GamesInHand:
    """The games of one server; `folder` None keeps no log. Times come from `now`."""

    def __init__(self, folder: Path | None, now: Callable[[], datetime]) -> None:
        """Make the folder if it is not there.

        Raises:
            OSError: the folder cannot be made.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._folder: Final = folder
        self._now: Final = now
        self._games: Final[OrderedDict[tuple[str, str], GameInHand]] = OrderedDict()

    def find(self, request: Mapping[str, Any]) -> GameInHand:
        """Return the request's game, beginning it if it is new (or the server was restarted meanwhile).

        Raises:
            KeyError, TypeError: a field is missing or of another kind.
        """
        key = (request["game"]["id"], request["you"]["id"])
        game = self._games.get(key)
        if game is None:
            game = self._games[key] = GameInHand(request, self._now())
            if len(self._games) > MOST_GAMES:
                self._games.popitem(last=False)
        self._games.move_to_end(key)
        return game

    def add(self, request: Mapping[str, Any], thought: GameLogThought | None = None) -> None:
        """Record the board of a /move, and what was thought of it."""
        if self._folder is not None:
            self.find(request).add(request, thought)

    def end(self, request: Mapping[str, Any]) -> GameLog | None:
        """Forget a game and return its log, if one is kept."""
        game = self._games.pop((request["game"]["id"], request["you"]["id"]), None)
        return game.finish(request, self._now()) if game is not None and self._folder is not None else None

    def write(self, log: GameLog) -> None:
        """Append a finished game to its snake's file of the day.

        Raises:
            OSError: it could not be written.
        """
        assert self._folder is not None and log.ended_at is not None
        name = re.sub(r"[^A-Za-z0-9._-]", "_", log.snakes[log.you].name)[:_MOST_NAME].lstrip(".") or "snake"
        append_line(self._folder / f"{name}-{log.ended_at:%Y%m%d}{GAME_LOG_SUFFIX}", log.to_line().encode())


def append_line(path: Path, line: bytes) -> None:
    """Append one line to a file that others may append to as well, and sync it.

    Raises:
        OSError: it could not be written.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        whole = b"\n" + line if torn else line
        if os.write(descriptor, whole) != len(whole):
            raise OSError(f"only part of a line could be written to {path}")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def _told(
    index: Mapping[str, int], snakes: Sequence[Mapping[str, Any]], key: str, read: Callable[[object], _Told]
) -> list[tuple[int, _Told]]:
    """What the game server tells of each snake under `key`, of those of whom it tells anything."""
    return [(index[snake["id"]], told) for snake in snakes if (told := read(snake.get(key)))]


def _milliseconds(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _words(value: object) -> str:
    return line(value, NAME_LIMIT) if isinstance(value, str) else ""


def _flat(cells: Sequence[Mapping[str, int]]) -> Cells:
    return [number for cell in cells for number in (cell["x"], cell["y"])]


def _head(snake: Mapping[str, Any]) -> tuple[int, int]:
    head = snake["body"][0] if snake["body"] else {"x": 0, "y": 0}
    return head["x"], head["y"]


def _outcome(end: Mapping[str, Any], alone: bool) -> GameLogOutcome:
    """Judge by who lives at /end; a game in which only we appeared is a loss once we are dead, else a draw."""
    living = [snake["id"] for snake in end["board"]["snakes"]]
    mine = end["you"]["id"] in living
    others = len(living) - mine
    if mine and not others and not alone:
        return GameLogOutcome.WIN
    if not mine and (others or alone):
        return GameLogOutcome.LOSS
    return GameLogOutcome.DRAW
