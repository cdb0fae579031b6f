"""The games that training keeps: those of the store, and those by which networks were judged, newest first."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from pipeline.data.game_making import games_of_tapes, winners
from pipeline.data.stored_game import StoredGame
from pipeline.engine.layout import ALIVE_CAUSE, CAUSE_WORDS
from pipeline.engine.tape_reading import TapeReader
from schemas.errors import DataError
from schemas.game import (
    GameLog,
    GameLogDeath,
    GameLogFrame,
    GameLogOutcome,
    GameLogSettings,
    GameLogSnake,
)
from schemas.settings import Settings

JUDGED = "judged"
"""The source of games by which a network was judged."""
_MODEL = "model:"


def training_games(settings: Settings) -> Iterator[StoredGame]:
    """Yield the judged games, then the store's, each newest first.

    Raises:
        DataError: the store cannot be read.
    """
    yield from judged_games(settings.pipeline_dir)
    if settings.training_games_dir.is_dir():
        from pipeline.data.store import GameStore  # brings pyarrow

        for games in GameStore(settings.training_games_dir).newest_first():
            yield from reversed(games)


def game_beginning(game_id: str, settings: Settings) -> list[StoredGame]:
    """Return the games whose id begins so: two at most, as that is one too many.

    Raises:
        DataError: the store cannot be read.
    """
    found = (game for game in training_games(settings) if game.game_id.startswith(game_id))
    by_id = {game.game_id: game for game in islice(found, 2)}
    return list(by_id.values())


def judged_games(pipeline_dir: Path) -> Iterator[StoredGame]:
    """Yield the games of the journals of judgements that kept their record (`pipeline/simulator/journal.py`)."""
    journals = sorted(pipeline_dir.glob("*/judging/*.jsonl"), key=_changed, reverse=True)
    for path in journals:
        at = datetime.fromtimestamp(_changed(path), UTC)
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            continue
        for line in reversed(lines):
            game = _judged(line, at)
            if game is not None:
                yield game


def to_log(game: StoredGame) -> GameLog:
    """Return a game as a line of the game log, its boards rebuilt from its record; told for a network, if one plays.

    Raises:
        GameStateError: the record is damaged.
    """
    frames = list(_frames(game))
    you = next((seat for seat, name in enumerate(game.players) if name.startswith(_MODEL)), 0)
    lost = GameLogOutcome.LOSS if game.winner is not None else GameLogOutcome.DRAW
    return GameLog(
        game_id=game.game_id,
        ruleset=game.ruleset,
        map=game.map_id,
        source=game.source,
        timeout_ms=0,
        settings=GameLogSettings(),
        width=game.width,
        height=game.height,
        you=you,
        snakes=[GameLogSnake(id=f"s{seat}", name=name) for seat, name in enumerate(game.players)],
        outcome=GameLogOutcome.WIN if game.winner == you else lost,
        turns=game.turns,
        ended_at=game.played_at,
        imported_from=f"training ({game.source})",
        deaths=[
            GameLogDeath(snake=seat, turn=game.deaths[seat], cause=CAUSE_WORDS[cause], by=_killer(game, seat))
            for seat, cause in enumerate(game.causes)
            if cause != ALIVE_CAUSE
        ],
        frames=frames,
    )


def _frames(game: StoredGame) -> Iterator[GameLogFrame]:
    food: list[int] | None = None
    hazards: list[int] | None = None
    for state in TapeReader(game.tape).states():
        living = [(seat, snake) for seat, snake in enumerate(state["snakes"]) if "cause" not in snake]
        now_food, now_hazards = _flat(state["food"]), _flat(state["hazards"])
        yield GameLogFrame(
            t=state["turn"],
            s=[(seat, snake["health"], len(snake["body"]), *snake["body"][0]) for seat, snake in living],
            b=[(seat, _flat(snake["body"])) for seat, snake in living] if food is None else None,
            f=now_food if now_food != food else None,
            z=now_hazards if now_hazards != hazards else None,
        )
        food, hazards = now_food, now_hazards


def _judged(line: bytes, at: datetime) -> StoredGame | None:
    """A journal's line as a game; None: it has no record, was torn, or is of a version that told no players."""
    try:
        row: dict[str, Any] = orjson.loads(line)
        tape, players = base64.b64decode(row["tape"]), tuple(map(str, row["players"]))
        return games_of_tapes([tape], [players], JUDGED, at, winners)[0] if tape else None
    except (ValueError, KeyError, TypeError, IndexError, DataError):
        return None


def _killer(game: StoredGame, seat: int) -> int | None:
    return game.killers[seat] if game.killers[seat] >= 0 else None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _flat(cells: list[list[int]]) -> list[int]:
    return [number for cell in cells for number in cell]
