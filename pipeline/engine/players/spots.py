"""Single spots of a bitboard row: put, take, ask; and the moves a snake has."""

import numpy as np

from pipeline.engine.compile_cache import inlined
from pipeline.engine.layout import MAX_HEALTH
from pipeline.engine.players import mind as legend
from pipeline.engine.players.mind import Mind

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
    mine = mind.snakes[me, legend.SIZE]
    if mind.snakes[other, legend.BEHIND] > 0 and mind.snakes[me, legend.LIFE] == MAX_HEALTH:
        mine -= 1
    return bool(mind.snakes[other, legend.SIZE] >= mine)


@inlined
def leaving(mind: Mind, spot: int) -> bool:
    """Return whether an occupied spot is a tail that moves away this turn."""
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[legend.LIVES] and fields[legend.PILE] == 1 and mind.paths[snake, fields[legend.TAIL_AT]] == spot:
            return True
    return False


@inlined
def options(mind: Mind, snake: int) -> int:
    """Return the directions, as a set of four bits, that neither wall nor body forbids a snake; maybe none."""
    head = int(mind.paths[snake, mind.snakes[snake, legend.HEAD_AT]])
    found = 0
    for direction in range(4):
        spot = int(mind.next_spot[head, direction])
        if spot >= 0 and (not has(mind, legend.OCCUPIED, spot) or leaving(mind, spot)):
            found |= 1 << direction
    return found
