"""The eight symmetries of a square frame, as index maps for planes, moves, features and context.

Symmetry `s` mirrors left and right if `s >= 4`, then turns `s % 4` quarters counter-clockwise. With x to the right and
y upwards a quarter turn takes (x, y) to (side - 1 - y, x), so right becomes up. Plane rows are y, from the bottom.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.layout import DOWN, LEFT, NO_DIRECTION, RIGHT, UP

SYMMETRIES: Final = 8
IDENTITY: Final = 0

_STEPS: Final = ((0, 1), (0, -1), (-1, 0), (1, 0))


def transform_point(symmetry: int, x: int, y: int, side: int) -> tuple[int, int]:
    """Return where a cell of a `side` x `side` frame comes to."""
    if symmetry >= 4:
        x = side - 1 - x
    for _ in range(symmetry % 4):
        x, y = side - 1 - y, x
    return x, y


def _transform_move(symmetry: int, move: int) -> int:
    # Around the centre of a 3x3 frame, a move is the cell next to it.
    x, y = transform_point(symmetry, 1 + _STEPS[move][0], 1 + _STEPS[move][1], 3)
    return _STEPS.index((x - 1, y - 1))


MOVE_TO: Final = np.array([[_transform_move(s, move) for move in range(4)] for s in range(SYMMETRIES)], np.uint8)
"""uint8[8, 4]: a move on the board -> the same move in the transformed frame."""

MOVE_FROM: Final = np.argsort(MOVE_TO, axis=1).astype(np.uint8)
"""uint8[8, 4]: a move in the transformed frame -> the move on the board."""

INVERSE: Final = np.array(
    [next(b for b in range(SYMMETRIES) if (MOVE_TO[b][MOVE_TO[a]] == np.arange(4)).all()) for a in range(SYMMETRIES)],
    np.uint8,
)
"""uint8[8]: the symmetry that undoes each."""

SWAPS_AXES: Final = np.array([s % 2 == 1 for s in range(SYMMETRIES)])
"""bool[8]: whether width and height change places."""

FACING_UP: Final = np.zeros(5, np.uint8)
"""uint8[5]: direction -> the symmetry (a turn) that makes it up; NO_DIRECTION -> identity."""
for _direction in (UP, DOWN, LEFT, RIGHT):
    FACING_UP[_direction] = next(s for s in range(4) if MOVE_TO[s, _direction] == UP)
FACING_UP[NO_DIRECTION] = IDENTITY


def cell_map(side: int) -> NDArray[np.int16]:
    """Return int16[8, side * side]: cell `y * side + x` -> the cell it comes to."""
    maps = np.zeros((SYMMETRIES, side * side), np.int16)
    for symmetry in range(SYMMETRIES):
        for cell in range(side * side):
            x, y = transform_point(symmetry, cell % side, cell // side, side)
            maps[symmetry, cell] = y * side + x
    return maps
