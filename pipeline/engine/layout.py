"""The legend of the game record: every array, shape, dtype and unit that compiled code reads and writes.

`N` games lie side by side in three arrays; game `g` is row `g` of each. A row's meaning depends only on the game's
own width, height and number of snakes, never on the batch: the same game is the same bytes in any batch, and
a batch may mix board sizes, rulesets, maps and numbers of snakes. `record_shape` gives the widths needed.

**words**, int16[N, HEADER + SNAKE_WORDS * snakes + width * height]

- header, one word each: WIDTH, HEIGHT (cells), STRIDE = WIDTH + 2, AREA = STRIDE * (HEIGHT + 2),
  SNAKES (number, dead included), ALIVE (number), FOOD (number of food on the board), FOOD_AT (index of the
  first food word), RULES (bits WRAPPED, CONSTRICTOR, ROYALE, SOLO), MAP (map number, `maps.py`), DAMAGE
  (health per hazard entry, may be negative), FOOD_CHANCE (percent, as the rules' setting), MINIMUM_FOOD,
  HAZARDS (number of cells, border included, with at least one hazard), OVER (1 once the game is over),
  MAP_A .. MAP_D (the map's own memory), SHRUNK (royale rows and columns cut so far, -1: hazards were changed since).
- snakes, SNAKE_WORDS each, snake `s` at `HEADER + s * SNAKE_WORDS`: HEALTH (0..100), LENGTH (body entries,
  stacked ones included), HEAD (cell), TAIL (cell of the last entry), STACK (body entries on the tail's cell,
  at least 1), FACING (direction from the neck's cell to the head's, NO_DIRECTION while all lie on one cell),
  CAUSE (ALIVE_CAUSE = 0, or why it died), KILLER (snake index or -1), VERDICT (used within a turn; BURIED once
  the snake is out of the grid) and VERDICT_BY, PENDING and PENDING_COUNT (map snail_mode: the trail that
  comes on the board next turn, cell and hazards; 0 where none).
- food: FOOD cells from FOOD_AT on, in the rules' order (oldest first).

**cells**, uint8[N, 2 * (width + 2) * (height + 2)]

- grid, AREA bytes: the board with a border of one cell. Cell number = (y + 1) * STRIDE + (x + 1), y upwards. In a byte:
  bits 0-4 OWNER: 0 free, 1..16 = living snake index + 1, WALL = 31 on the border;
  bits 5-6 the direction in which that snake's next entry towards the head lies (undefined on the head's cell);
  bit 7 FOOD_BIT. A body is walked from its tail: `cell = neighbour(cell, direction)`, LENGTH - STACK steps to the head.
  Dead snakes are not in the grid.
- hazards, AREA bytes from AREA on: how many hazards are stacked on each cell. The border counts too: a hazard
  just outside the board can hurt a head that leaves it (map snail_mode).

**longs**, int64[N, LONGS + snakes]: SEED (of all draws), TURN (turns played), SHRINK (shrinkEveryNTurns), EPISODE
(games finished before in this slot of a batch); then per snake the turn on which it died, 0 while it lives.

Directions and moves: UP 0 (y+1), DOWN 1, LEFT 2 (x-1), RIGHT 3; any other move byte takes the default move.
A living snake's body is connected and overlaps neither itself (but for the stack at its tail) nor another; `state.py`
refuses anything else, and the rules keep it so.

**corpses**, int16[N, snakes, width * height + 2], or shape (0, 0, 0) where nobody asks: the last body of each dead
snake as distinct cells, tail first, head last (maybe on the border), with LENGTH and STACK as in the words.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int16]
Cells = NDArray[np.uint8]
Longs = NDArray[np.int64]
Moves = NDArray[np.uint8]

# header words
WIDTH: Final = 0
HEIGHT: Final = 1
STRIDE: Final = 2
AREA: Final = 3
SNAKES: Final = 4
ALIVE: Final = 5
FOOD: Final = 6
FOOD_AT: Final = 7
RULES: Final = 8
MAP: Final = 9
DAMAGE: Final = 10
FOOD_CHANCE: Final = 11
MINIMUM_FOOD: Final = 12
HAZARDS: Final = 13
OVER: Final = 14
MAP_A: Final = 15
MAP_B: Final = 16
MAP_C: Final = 17
MAP_D: Final = 18
SHRUNK: Final = 19
HEADER: Final = 20

# snake words
HEALTH: Final = 0
LENGTH: Final = 1
HEAD: Final = 2
TAIL: Final = 3
STACK: Final = 4
FACING: Final = 5
CAUSE: Final = 6
KILLER: Final = 7
VERDICT: Final = 8
VERDICT_BY: Final = 9
PENDING: Final = 10
PENDING_COUNT: Final = 11
SNAKE_WORDS: Final = 12

# longs
SEED: Final = 0
TURN: Final = 1
SHRINK: Final = 2
EPISODE: Final = 3
LONGS: Final = 4

# grid bytes
OWNER: Final = 0x1F
WALL: Final = 31
DIRECTION_SHIFT: Final = 5
DIRECTION_MASK: Final = 3
FOOD_BIT: Final = 0x80

# directions and moves
UP: Final = 0
DOWN: Final = 1
LEFT: Final = 2
RIGHT: Final = 3
NO_DIRECTION: Final = 4
MOVE_WORDS: Final = ("up", "down", "left", "right")

# bits of RULES
WRAPPED: Final = 1
CONSTRICTOR: Final = 2
ROYALE: Final = 4
SOLO: Final = 8
RULESETS: Final[dict[str, int]] = {
    "standard": 0,
    "solo": SOLO,
    "royale": ROYALE,
    "wrapped": WRAPPED,
    "constrictor": CONSTRICTOR,
    "wrapped_constrictor": WRAPPED | CONSTRICTOR,
}

# causes of death
ALIVE_CAUSE: Final = 0
SNAKE_COLLISION: Final = 1
SELF_COLLISION: Final = 2
OUT_OF_HEALTH: Final = 3
HEAD_COLLISION: Final = 4
WALL_COLLISION: Final = 5
HAZARD: Final = 6
CAUSE_WORDS: Final = (
    "",
    "snake-collision",
    "snake-self-collision",
    "out-of-health",
    "head-collision",
    "wall-collision",
    "hazard",
)

BURIED: Final = -1  # VERDICT of a snake that is out of the grid

MAX_HEALTH: Final = 100
START_LENGTH: Final = 3
MAX_SNAKES: Final = 16
MAX_SIDE: Final = 25


class Records(NamedTuple):
    """The arrays of `N` games, as the module's docstring describes them; also what compiled players get."""

    words: Words
    cells: Cells
    longs: Longs
    corpses: NDArray[np.int16]


def record_shape(width: int, height: int, snakes: int) -> tuple[int, int, int]:
    """Return the widths of words, cells and longs that one game of this size needs."""
    area = (width + 2) * (height + 2)
    return HEADER + SNAKE_WORDS * snakes + width * height, 2 * area, LONGS + snakes


def allocate(games: int, width: int, height: int, snakes: int, *, corpses: bool) -> Records:
    """Return zeroed records for `games` games of at most this many cells and snakes."""
    words, cells, longs = record_shape(width, height, snakes)
    path = (games, snakes, width * height + 2) if corpses else (0, 0, 0)
    return Records(
        np.zeros((games, words), np.int16),
        np.zeros((games, cells), np.uint8),
        np.zeros((games, longs), np.int64),
        np.zeros(path, np.int16),
    )


def record_bytes(records: Records) -> float:
    """Return the bytes that one game takes."""
    arrays: tuple[NDArray[Any], ...] = records
    return float(sum(array.nbytes for array in arrays)) / records.words.shape[0]
