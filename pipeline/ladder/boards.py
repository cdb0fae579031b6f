"""A kept game's turns as the requests that our snake got: whole bodies, food and hazards out of the log's frames."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.game import GameLog, GameLogFrame

USUAL_TIMEOUT_MS: Final = 500
_MOVES: Final = {(0, 1): "up", (0, -1): "down", (-1, 0): "left", (1, 0): "right"}
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AskedTurn:
    """A turn on which our snake was asked."""

    turn: int
    request: dict[str, Any]
    """The body of its `/move` request."""
    played: str
    """Where it went; empty: the boards do not tell (it died of it)."""


def move_between(before: Cell, after: Cell, width: int, height: int) -> str:
    """Return the move from one cell to the next, over an edge too on a wrapped board; empty: none leads there."""
    step = (after[0] - before[0], after[1] - before[1])
    if step in _MOVES:
        return _MOVES[step]
    around = {(width - 1, 0): "left", (1 - width, 0): "right", (0, height - 1): "down", (0, 1 - height): "up"}
    return around.get(step, "")


def asked_turns(log: GameLog) -> Iterator[AskedTurn]:
    """Yield each turn on which the log's own snake lived, in order.

    Raises:
        ValueError: the frames do not begin with whole bodies, or skip turns.
    """
    bodies: dict[int, list[Cell]] = {}
    food: list[Cell] = []
    hazards: list[Cell] = []
    waiting: AskedTurn | None = None
    for frame in log.frames:
        bodies = _bodies(bodies, frame)
        food = _cells(frame.f) if frame.f is not None else food
        hazards = _cells(frame.z) if frame.z is not None else hazards
        if waiting is not None:
            head = bodies[log.you][0] if log.you in bodies else None
            before = waiting.request["you"]["head"]
            played = "" if head is None else move_between((before["x"], before["y"]), head, log.width, log.height)
            yield AskedTurn(waiting.turn, waiting.request, played)
            waiting = None
        if log.you in bodies:
            waiting = AskedTurn(frame.t, _request(log, frame, bodies, food, hazards), "")


def _bodies(before: Mapping[int, list[Cell]], frame: GameLogFrame) -> dict[int, list[Cell]]:
    """As `schemas.game` has it: the new head in front, the last entry gone, then repeated up to the length."""
    if frame.b is not None:
        return {index: _cells(body) for index, body in frame.b}
    found: dict[int, list[Cell]] = {}
    for index, _, length, x, y in frame.s:
        if index not in before:
            raise ValueError(f"turn {frame.t} shows a snake that was not there before")
        body = [(x, y), *before[index][:-1]]
        found[index] = (body + [body[-1]] * length)[:length] if length > len(body) else body[:length]
    return found


def _cells(numbers: list[int] | None) -> list[Cell]:
    flat = numbers or []
    return list(zip(flat[::2], flat[1::2], strict=True))


def _request(
    log: GameLog, frame: GameLogFrame, bodies: Mapping[int, list[Cell]], food: list[Cell], hazards: list[Cell]
) -> dict[str, Any]:
    snakes = {entry[0]: _snake(log, entry[0], entry[1], bodies[entry[0]]) for entry in frame.s}
    told = log.settings
    ruleset = {
        "name": log.ruleset,
        "version": "v1",
        "settings": {
            "foodSpawnChance": told.foodSpawnChance,
            "minimumFood": told.minimumFood,
            "hazardDamagePerTurn": told.hazardDamagePerTurn,
            "royale": {"shrinkEveryNTurns": told.shrinkEveryNTurns},
        },
    }
    timeout_ms = log.timeout_ms or USUAL_TIMEOUT_MS
    return {
        "game": {"id": log.game_id, "ruleset": ruleset, "map": log.map, "source": log.source, "timeout": timeout_ms},
        "turn": frame.t,
        "board": {
            "height": log.height,
            "width": log.width,
            "food": [_point(cell) for cell in food],
            "hazards": [_point(cell) for cell in hazards],
            "snakes": list(snakes.values()),
        },
        "you": snakes[log.you],
    }


def _snake(log: GameLog, index: int, health: int, body: list[Cell]) -> dict[str, Any]:
    cells = [_point(cell) for cell in body]
    known = log.snakes[index]
    return {
        "id": known.id,
        "name": known.name,
        "health": health,
        "body": cells,
        "head": cells[0],
        "length": len(cells),
        "latency": "0",
        "shout": "",
        "squad": "",
    }


def _point(cell: Cell) -> dict[str, int]:
    return {"x": cell[0], "y": cell[1]}
