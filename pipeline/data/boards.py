"""The boards of a recorded game, turn by turn, from the frames of a game log (`schemas.game` has the rule)."""

from collections.abc import Iterator, Sequence

from pipeline.data.importers.frames import SeenBoard, SeenSnake
from schemas.game import GameLogFrame, GameLogSnake


def boards_of(snakes: Sequence[GameLogSnake], frames: Sequence[GameLogFrame]) -> Iterator[SeenBoard]:
    """Yield the board of every frame, in their order.

    Raises:
        ValueError: a snake appears in the middle of the game without its body.
    """
    bodies: dict[int, list[int]] = {}
    food: list[int] = []
    hazards: list[int] = []
    for frame in frames:
        told = dict(frame.b or ())
        bodies = {entry[0]: _body(frame.t, entry, told, bodies) for entry in frame.s}
        food = food if frame.f is None else frame.f
        hazards = hazards if frame.z is None else frame.z
        seen = [SeenSnake(snakes[at].id, snakes[at].name, health, bodies[at]) for at, health, *_ in frame.s]
        yield SeenBoard(frame.t, seen, food, hazards)


def _body(
    turn: int, entry: tuple[int, int, int, int, int], told: dict[int, list[int]], before: dict[int, list[int]]
) -> list[int]:
    at, _, length, x, y = entry
    if at in told:
        return told[at]
    if at not in before:
        raise ValueError(f"turn {turn} shows a snake without its body")
    moved = [x, y, *before[at][:-2]]
    return moved + moved[-2:] * (length - len(moved) // 2)
