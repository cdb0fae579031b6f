"""The legend of the game record: every array, shape, dtype and unit that compiled code reads and writes.

A game is one row of bytes, begun on a cache line: its clock, its fields and its grid. `Records` are the rows
of N games, seen as three arrays; `Record` is one of them, which compiled code takes as `game`. What is in each part
depends only on the game's own width, height and number of snakes, never on the batch: the same game is the same bytes
in any batch, and a batch may mix board sizes, rulesets, maps and numbers of snakes. `record_shape` gives the widths.

**fields**, int16[N, HEADER + SNAKE_FIELDS * snakes + width * height]: the game's and its snakes' numbers

- header: WIDTH, HEIGHT (cells), STRIDE = WIDTH + 2, AREA = STRIDE * (HEIGHT + 2),
  SNAKES (number, dead included), ALIVE (number), FOOD (number of food on the board), FOOD_AT (index of the
  first of them), RULES (bits WRAPPED, CONSTRICTOR, ROYALE, SOLO), MAP (map number, `maps.py`), DAMAGE
  (health per hazard entry, may be negative), FOOD_CHANCE (percent, as the rules' setting), MINIMUM_FOOD,
  HAZARDS (number of cells, border included, with at least one hazard), OVER (1 once the game is over),
  MAP_A .. MAP_D (the map's own memory), SHRUNK (royale rows and columns cut so far, -1: hazards were changed since).
- snakes, SNAKE_FIELDS each, snake `s` at `HEADER + s * SNAKE_FIELDS`: HEALTH (0..100), LENGTH (body entries,
  stacked ones included), HEAD (cell), TAIL (cell of the last entry), STACK (body entries on the tail's cell,
  at least 1), FACING (direction from the neck's cell to the head's, NO_DIRECTION while all lie on one cell),
  CAUSE (ALIVE_CAUSE = 0, or why it died), KILLER (snake index or -1), VERDICT (used within a turn; BURIED once
  the snake is out of the grid) and VERDICT_BY, PENDING and PENDING_COUNT (map snail_mode: the trail that
  comes on the board next turn, cell and hazards; 0 where none).
- food: FOOD cells from FOOD_AT on, in the rules' order (oldest first).

**grid**, uint8[N, 2 * (width + 2) * (height + 2)]: what lies on each cell

- bodies and food, AREA bytes: the board with a border of one cell. Cell number = (y + 1) * STRIDE + (x + 1), y
  upwards. In a byte:
  bits 0-4 OWNER: 0 free, 1..16 = living snake index + 1, WALL = 31 on the border;
  bits 5-6 the direction in which that snake's next entry towards the head lies (undefined on the head's cell);
  bit 7 FOOD_BIT. A body is walked from its tail: `cell = neighbour(cell, direction)`, LENGTH - STACK steps to the head.
  Dead snakes are not in the grid.
- hazards, AREA bytes from AREA on: how many hazards are stacked on each cell. The border counts too: a hazard
  just outside the board can hurt a head that leaves it (map snail_mode).

**clock**, int64[N, DEATHS + snakes]: SEED (of all draws), TURN (turns played), SHRINK (shrinkEveryNTurns), EPISODE
(games finished before in this slot of a batch); from DEATHS on, per snake the turn on which it died, 0 while it lives.

Directions and moves: UP 0 (y+1), DOWN 1, LEFT 2 (x-1), RIGHT 3; any other move byte takes the default move.
A living snake's body is connected and overlaps neither itself (but for the stack at its tail) nor another; `state.py`
refuses anything else, and the rules keep it so.

**corpses**, int16[N, snakes, width * height + 2], apart, or shape (N, 0, 0) where nobody asks: the last body of each
dead snake as distinct cells, tail first, head last (maybe on the border), with LENGTH and STACK as in the fields.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Fields = NDArray[np.int16]
Grid = NDArray[np.uint8]
Clock = NDArray[np.int64]
Bodies = NDArray[np.int16]
Moves = NDArray[np.uint8]

# fields of the game
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

# fields of a snake
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
SNAKE_FIELDS: Final = 12

# clock
SEED: Final = 0
TURN: Final = 1
SHRINK: Final = 2
EPISODE: Final = 3
DEATHS: Final = 4

# a byte of the grid
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


LINE: Final = 64
"""Bytes of a cache line."""


class Record(NamedTuple):
    """One game, as the module's docstring describes it; `corpses` is int16[snakes, path] or (0, 0)."""

    fields: Fields
    grid: Grid
    clock: Clock
    corpses: Bodies


class Records(NamedTuple):
    """`N` games."""

    fields: Fields
    grid: Grid
    clock: Clock
    corpses: Bodies

    def game(self, game: int) -> Record:
        """Return one of them."""
        return Record(self.fields[game], self.grid[game], self.clock[game], self.corpses[game])


def record_shape(width: int, height: int, snakes: int) -> tuple[int, int, int]:
    """Return the widths of fields, grid and clock that one game of this size needs."""
    area = (width + 2) * (height + 2)
    return HEADER + SNAKE_FIELDS * snakes + width * height, 2 * area, DEATHS + snakes


def allocate(games: int, sizes: Sequence[tuple[int, int, int]], *, corpses: bool) -> Records:
    """Return zeroed records for `games` games of any of these sizes (width, height, snakes)."""
    fields, grid, clock = (max(widths) for widths in zip(*map(record_shape, *zip(*sizes, strict=True)), strict=True))
    ends = [8 * clock, 8 * clock + 2 * fields, 8 * clock + 2 * fields + grid]
    row = -(-ends[2] // LINE) * LINE
    block = np.zeros(games * row + LINE, np.uint8)
    first = -block.ctypes.data % LINE
    rows = block[first : first + games * row].reshape(games, row)
    path = (max(w * h for w, h, _ in sizes) + 2, max(snakes for *_, snakes in sizes)) if corpses else (0, 0)
    return Records(
        rows[:, ends[0] : ends[1]].view(np.int16),
        rows[:, ends[1] : ends[2]],
        rows[:, : ends[0]].view(np.int64),
        np.zeros((games, path[1], path[0]), np.int16),
    )


def record_bytes(records: Records) -> float:
    """Return the bytes that one game takes."""
    return records.fields.strides[0] + records.corpses[:1].nbytes
