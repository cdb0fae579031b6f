"""The legend of a `Mind`: the memory in which a thinking player pictures one game.

A mind is one numpy record, made once per thread and used for any game of any size after that; nothing is allocated
per move.
Cells are numbered `spot = y * width + x` (no border), and a set of spots is a bitboard: bit `spot & 63` of word
`spot >> 6`, so that 11x11 takes two words and 25x25 ten.

- `shape` int64[SHAPE]: what board the geometry below belongs to, and the game's settings (names below).
- `spot_of` int16[27 * 27]: the record's cell number -> spot, -1 on the border.
- `next_spot` int16[625, 4]: spot and direction -> spot, -1 behind a wall; across the edge where wrapped.
- `masks` uint64[MASKS, 10]: bitboards, one a row (names below).
- `hazards` uint8[625]: hazards stacked on each spot; `off_centre` int16[625]: 0 in the centre, 1024 in a corner.
- `leaving` uint64[LEAVE_STEPS, 10]: row t: the spots that bodies leave t turns after the picture, if nobody eats.
- `snakes` int64[16, FIELDS]: per snake (names below); `paths` int16[16, PATH]: its distinct spots, tail first: the tail
  is at index TAIL_AT and the head at HEAD_AT, so that a move writes one entry and raises one or two indices.
- `old_snakes`, `old_masks`: what the turns looked ahead have to put back, one row per turn.
- `values` int64[PLIES, 4]: values of the moves tried at each turn looked ahead.
- `weights` int64[kinds, WEIGHTS]: what each kind of player goes by (`weights.py`).
- `finding` int64[FINDINGS]: what the last flood found (names below).

The functions ask and change single spots of it, and say which moves a snake has.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import inlined
from pipeline.engine.layout import MAX_HEALTH, MAX_SIDE, MAX_SNAKES
from pipeline.engine.players.kinds import KINDS
from pipeline.engine.players.weights import WEIGHTS, default_weights

Ints = NDArray[np.int64]

MAX_SPOTS: Final = MAX_SIDE * MAX_SIDE
MASK_WORDS: Final = (MAX_SPOTS + 63) // 64
PLIES: Final = 8
PATH: Final = MAX_SPOTS + PLIES + 3
LEAVE_STEPS: Final = 64

# shape
S_WIDTH: Final = 0
S_HEIGHT: Final = 1
S_WRAPPED: Final = 2
S_SPOTS: Final = 3
S_WORDS: Final = 4  # words of a bitboard in use
S_SNAKES: Final = 5
S_DAMAGE: Final = 6
S_CONSTRICTOR: Final = 7
S_ALONE: Final = 8  # 1: nobody else lived when the picture was made
S_HAZARDS: Final = 9  # 1: some spot has hazards
S_LAST_LEAVE: Final = 10  # the last row of `leaving` in use
S_AREA_SCALE: Final = 11  # 2**16 / spots, to divide by multiplying
SHAPE: Final = 12

# rows of masks
BOARD: Final = 0
NOT_LEFT: Final = 1
NOT_RIGHT: Final = 2
EDGE: Final = 3
OCCUPIED: Final = 4  # all spots of living snakes
FOODS: Final = 5
HURTING: Final = 6  # spots with hazards
MASKS: Final = 7

# fields of a snake
LIVES: Final = 0
HEAD_AT: Final = 1
TAIL_AT: Final = 2
SIZE: Final = 3
PILE: Final = 4  # body entries on the tail's spot
LIFE: Final = 5  # health
BEHIND: Final = 6  # turns looked ahead in which this snake was not moved
FIELDS: Final = 7

# findings of a flood
F_MINE: Final = 0  # spots I reach first
F_THEIRS: Final = 1  # spots others reach first, or at once with me while at least as long
F_MINE_EDGE: Final = 2
F_THEIRS_EDGE: Final = 3
F_MINE_HURTING: Final = 4
F_FOOD: Final = 5  # steps to the first food I reach first, 0: none
F_TAIL: Final = 6  # 1: my tail's spot is among what I reach first
F_EXITS: Final = 7  # spots my head can enter next
F_RISK: Final = 8  # 1: a head at least as long, not moved yet, may come to my head's spot
F_PREY: Final = 9  # 1: the same of a shorter head
F_THEIR_FOOD: Final = 10  # steps to the first food others reach first, 0: none
FINDINGS: Final = 11


MIND: Final = np.dtype(
    [
        ("masks", np.uint64, (MASKS, MASK_WORDS)),
        ("leaving", np.uint64, (LEAVE_STEPS, MASK_WORDS)),
        ("old_masks", np.uint64, (PLIES, 2, MASK_WORDS)),
        ("shape", np.int64, (SHAPE,)),
        ("snakes", np.int64, (MAX_SNAKES, FIELDS)),
        ("old_snakes", np.int64, (PLIES, MAX_SNAKES, FIELDS)),
        ("values", np.int64, (PLIES, 4)),
        ("weights", np.int64, (len(KINDS), WEIGHTS)),
        ("finding", np.int64, (FINDINGS,)),
        ("spot_of", np.int16, ((MAX_SIDE + 2) ** 2,)),
        ("next_spot", np.int16, (MAX_SPOTS, 4)),
        ("off_centre", np.int16, (MAX_SPOTS,)),
        ("paths", np.int16, (MAX_SNAKES, PATH)),
        ("hazards", np.uint8, (MAX_SPOTS,)),
    ],
    align=True,
)

Mind = Any
"""A numpy record of dtype `MIND`, so that compiled code hands one pointer on; its fields are read as attributes there,
as `mind["weights"]` from Python."""


def make_mind() -> Mind:
    """Return a fresh mind whose players go by their default weights."""
    memory = np.zeros(1, MIND)
    memory["weights"] = default_weights()
    return memory[0]


_ONE = np.uint64(1)
_ZERO = np.uint64(0)


@inlined
def put(mind: Mind, row: int, spot: int) -> None:
    """Add a spot to row `row`."""
    mind.masks[row, spot >> 6] |= _ONE << np.uint64(spot & 63)


@inlined
def take(mind: Mind, row: int, spot: int) -> None:
    """Take a spot out of row `row`."""
    mind.masks[row, spot >> 6] &= ~(_ONE << np.uint64(spot & 63))


@inlined
def has(mind: Mind, row: int, spot: int) -> bool:
    """Return whether row `row` has a spot."""
    return (mind.masks[row, spot >> 6] >> np.uint64(spot & 63)) & _ONE != _ZERO


@inlined
def outlasts(mind: Mind, me: int, other: int) -> bool:
    """Return whether `me` would lose or tie a head-to-head against `other`.

    A snake that is a turn behind may come to the food I have just eaten: then both have grown.
    """
    mine = mind.snakes[me, SIZE]
    if mind.snakes[other, BEHIND] > 0 and mind.snakes[me, LIFE] == MAX_HEALTH:
        mine -= 1
    return bool(mind.snakes[other, SIZE] >= mine)


@inlined
def leaving(mind: Mind, spot: int) -> bool:
    """Return whether an occupied spot is a tail that moves away this turn."""
    for snake in range(mind.shape[S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[LIVES] and fields[PILE] == 1 and mind.paths[snake, fields[TAIL_AT]] == spot:
            return True
    return False


@inlined
def options(mind: Mind, snake: int) -> int:
    """Return the directions, as a set of four bits, that neither wall nor body forbids a snake; maybe none."""
    head = int(mind.paths[snake, mind.snakes[snake, HEAD_AT]])
    found = 0
    for direction in range(4):
        spot = int(mind.next_spot[head, direction])
        if spot >= 0 and (not has(mind, OCCUPIED, spot) or leaving(mind, spot)):
            found |= 1 << direction
    return found
