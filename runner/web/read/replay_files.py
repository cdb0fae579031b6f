"""Replays in the official command's form (`-o`, and `ouroboros play --replay-dir`), one game a file, as a game log.

JSON lines, packed with gzip or not: the game; one request body a turn; the result, in which ours also tells the deaths
under `ouroboros` (`pipeline/referee/replay.py`).
"""

import zlib
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from schemas.game import GameLog, GameLogDeath, GameLogFrame, GameLogOutcome, GameLogSettings, GameLogSnake

SUFFIXES = (".replay.jsonl", ".jsonl.gz")
MOST_BYTES = 64 << 20
"""Unpacked; more is no replay, or a file made to fill the memory."""
_FIELD_ERRORS = (KeyError, ValueError, TypeError, AttributeError, IndexError)


def is_replay(path: Path) -> bool:
    """Whether a file is one by its name."""
    return path.name.endswith(SUFFIXES)


def read(path: Path) -> GameLog | None:
    """The game of a replay; None: it is none, or cut short.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as handle:
        data = _unpacked(handle.read(MOST_BYTES))
    try:
        lines = [orjson.loads(line) for line in data.splitlines() if line.strip()]
        return _game(lines[0], [line for line in lines[1:-1] if "board" in line], lines[-1], path.name)
    except (*_FIELD_ERRORS, ValidationError):
        return None


def _unpacked(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, MOST_BYTES)
    except zlib.error:
        return b""


def _game(head: dict[str, Any], turns: list[dict[str, Any]], result: dict[str, Any], name: str) -> GameLog:
    if "winnerId" not in result:
        raise ValueError("no result")
    snakes = [GameLogSnake(id=str(snake["id"]), name=snake["name"]) for snake in turns[0]["board"]["snakes"]]
    index = {snake.id: seat for seat, snake in enumerate(snakes)}
    settings = head["ruleset"].get("settings") or {}
    board = turns[0]["board"]
    you = index.get(str(turns[0].get("you", {}).get("id")), 0)
    winner = index.get(str(result["winnerId"]))
    return GameLog(
        game_id=str(head["id"]),
        ruleset=head["ruleset"]["name"],
        map=head.get("map") or "",
        source=head.get("source") or "",
        timeout_ms=int(head.get("timeout") or 0),
        settings=GameLogSettings(
            foodSpawnChance=settings.get("foodSpawnChance", 0),
            minimumFood=settings.get("minimumFood", 0),
            hazardDamagePerTurn=settings.get("hazardDamagePerTurn", 0),
            shrinkEveryNTurns=(settings.get("royale") or {}).get("shrinkEveryNTurns", 0),
        ),
        width=board["width"],
        height=board["height"],
        you=you,
        snakes=snakes,
        outcome=GameLogOutcome.DRAW if winner is None else GameLogOutcome.WIN if winner == you else GameLogOutcome.LOSS,
        turns=int(turns[-1]["turn"]),
        imported_from=name,
        deaths=_deaths(result, index),
        frames=[_frame(turn, index) for turn in turns],
    )


def _deaths(result: dict[str, Any], index: dict[str, int]) -> list[GameLogDeath] | None:
    told = (result.get("ouroboros") or {}).get("snakes")
    if told is None:
        return None
    return [
        GameLogDeath(snake=index[snake["id"]], turn=snake["on"], cause=snake["cause"], by=index.get(snake["by"]))
        for snake in told
        if snake["cause"]
    ]


def _frame(turn: dict[str, Any], index: dict[str, int]) -> GameLogFrame:
    """Whole bodies in each: a replay is one game, not a folder of them."""
    snakes = [(index[str(snake["id"])], snake) for snake in turn["board"]["snakes"]]
    times = [(seat, time) for seat, snake in snakes if (time := _latency(snake)) is not None]
    shouts = [(seat, snake["shout"]) for seat, snake in snakes if snake.get("shout")]
    return GameLogFrame(
        t=turn["turn"],
        s=[
            (seat, snake["health"], len(snake["body"]), snake["body"][0]["x"], snake["body"][0]["y"])
            for seat, snake in snakes
        ],
        b=[(seat, _flat(snake["body"])) for seat, snake in snakes],
        f=_flat(turn["board"]["food"]),
        z=_flat(turn["board"].get("hazards") or []),
        l=times or None,
        w=shouts or None,
    )


def _latency(snake: dict[str, Any]) -> int | None:
    told = str(snake.get("latency", ""))
    return int(told) if told.isascii() and told.isdigit() and len(told) < 7 else None


def _flat(cells: list[dict[str, int]]) -> list[int]:
    return [number for cell in cells for number in (cell["x"], cell["y"])]
