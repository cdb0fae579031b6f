"""A move for positions that even the engine cannot hold: rulesets to come, boards larger than any it knows."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.engine.layout import MOVE_WORDS, UP

_STEPS: Final = ((0, 1), (0, -1), (-1, 0), (1, 0))


def any_safe_move(request: Mapping[str, Any]) -> int:
    """Return the move to the free neighbour with the most free neighbours of its own, the first of equals.

    Free is what is on the board and in no body, tails counted as staying; up if nothing is free.

    Raises:
        KeyError, TypeError: a field is missing or of another kind.
    """
    board = request["board"]
    width, height = int(board["width"]), int(board["height"])
    taken = {(c["x"], c["y"]) for snake in board["snakes"] for c in snake["body"]}
    head = request["you"]["body"][0]

    def free(x: int, y: int) -> bool:
        return 0 <= x < width and 0 <= y < height and (x, y) not in taken

    best, most = UP, -1
    for move in range(len(MOVE_WORDS)):
        x, y = head["x"] + _STEPS[move][0], head["y"] + _STEPS[move][1]
        exits = sum(free(x + dx, y + dy) for dx, dy in _STEPS)
        if free(x, y) and exits > most:
            best, most = move, exits
    return best
