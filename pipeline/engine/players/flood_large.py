"""The flood of `flood_small` for boards of any size: the same steps, on bitboards of several words in memory."""

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.players import mind as legend
from pipeline.engine.players.bits import count_bits
from pipeline.engine.players.flood_small import turns_behind
from pipeline.engine.players.mind import Mind
from pipeline.engine.players.spots import has, outlasts

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_63 = np.uint64(63)


@compiled
def add_shifted_up(mind: Mind, source: int, only: int, invert: bool, by: int, target: int) -> None:
    """Add to row `target` the row `source` within the row `only` (or outside it), `by` bits to the left."""
    words, masks = mind.shape[legend.S_WORDS], mind.masks
    flip = ~_ZERO if invert else _ZERO
    skip, bits = by >> 6, np.uint64(by & 63)
    for word in range(words - 1, skip - 1, -1):
        value = (masks[source, word - skip] & (masks[only, word - skip] ^ flip)) << bits
        if word > skip:
            below = masks[source, word - skip - 1] & (masks[only, word - skip - 1] ^ flip)
            value |= (below >> _ONE) >> (_63 - bits)
        masks[target, word] |= value


@compiled
def add_shifted_down(mind: Mind, source: int, only: int, invert: bool, by: int, target: int) -> None:
    """The same, to the right."""
    words, masks = mind.shape[legend.S_WORDS], mind.masks
    flip = ~_ZERO if invert else _ZERO
    skip, bits = by >> 6, np.uint64(by & 63)
    for word in range(words - skip):
        value = (masks[source, word + skip] & (masks[only, word + skip] ^ flip)) >> bits
        if word + skip + 1 < words:
            above = masks[source, word + skip + 1] & (masks[only, word + skip + 1] ^ flip)
            value |= (above << _ONE) << (_63 - bits)
        masks[target, word] |= value


@compiled
def grow_row(mind: Mind, source: int, target: int) -> None:
    """Write the neighbours of row `source` that are on the board into row `target`."""
    shape, masks = mind.shape, mind.masks
    width = shape[legend.S_WIDTH]
    for word in range(shape[legend.S_WORDS]):
        masks[target, word] = _ZERO
    add_shifted_up(mind, source, legend.BOARD, False, width, target)
    add_shifted_down(mind, source, legend.BOARD, False, width, target)
    add_shifted_up(mind, source, legend.NOT_RIGHT, False, 1, target)
    add_shifted_down(mind, source, legend.NOT_LEFT, False, 1, target)
    if shape[legend.S_WRAPPED]:
        add_shifted_up(mind, source, legend.BOARD, False, shape[legend.S_SPOTS] - width, target)
        add_shifted_down(mind, source, legend.BOARD, False, shape[legend.S_SPOTS] - width, target)
        add_shifted_up(mind, source, legend.NOT_LEFT, True, width - 1, target)
        add_shifted_down(mind, source, legend.NOT_RIGHT, True, width - 1, target)
    for word in range(shape[legend.S_WORDS]):
        masks[target, word] &= masks[legend.BOARD, word]


@inlined
def vacate(mind: Mind, step: int, head: int) -> None:
    """Add to FREE what bodies leave `step` turns after the picture, never `head`."""
    if step <= mind.shape[legend.S_LAST_LEAVE]:
        for word in range(mind.shape[legend.S_WORDS]):
            mind.masks[legend.FREE, word] |= mind.leaving[step, word]
        if head >= 0:
            mind.masks[legend.FREE, head >> 6] &= ~(_ONE << np.uint64(head & 63))


@inlined
def put_heads(mind: Mind, me: int, behind: bool) -> None:
    """Write the other living heads into LONGER and SHORTER; only those not moved yet, or only those moved."""
    for word in range(mind.shape[legend.S_WORDS]):
        mind.masks[legend.LONGER, word] = _ZERO
        mind.masks[legend.SHORTER, word] = _ZERO
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[legend.LIVES] and snake != me and (fields[legend.BEHIND] > 0) == behind:
            spot = int(mind.paths[snake, fields[legend.HEAD_AT]])
            row = legend.LONGER if outlasts(mind, me, snake) else legend.SHORTER
            mind.masks[row, spot >> 6] |= _ONE << np.uint64(spot & 63)


@inlined
def count_row(mind: Mind, row: int, only: int) -> int:
    """Return how many spots two rows share."""
    total = 0
    for word in range(mind.shape[legend.S_WORDS]):
        total += count_bits(mind.masks[row, word] & mind.masks[only, word])
    return total


@inlined
def catch_up(mind: Mind, me: int, behind: int, head: int) -> None:
    """Let the heads that were not moved go everywhere they might be by now; note what they threaten."""
    masks, words = mind.masks, mind.shape[legend.S_WORDS]
    for step in range(1, behind + 1):
        vacate(mind, step, head)
        grow_row(mind, legend.LONGER, legend.GROWN_LONGER)
        grow_row(mind, legend.SHORTER, legend.GROWN_SHORTER)
        if has(mind, legend.GROWN_LONGER, head):
            mind.finding[legend.F_RISK] = 1
        if has(mind, legend.GROWN_SHORTER, head):
            mind.finding[legend.F_PREY] = 1
        for word in range(words):
            masks[legend.LONGER, word] |= masks[legend.GROWN_LONGER, word] & masks[legend.FREE, word]
            masks[legend.SHORTER, word] |= (
                masks[legend.GROWN_SHORTER, word] & masks[legend.FREE, word] & ~masks[legend.LONGER, word]
            )
    for word in range(words):
        masks[legend.SHORTER, word] &= ~masks[legend.LONGER, word]
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[legend.LIVES] and snake != me and fields[legend.BEHIND] == 0:
            spot = int(mind.paths[snake, fields[legend.HEAD_AT]])
            row = legend.LONGER if outlasts(mind, me, snake) else legend.SHORTER
            masks[row, spot >> 6] |= _ONE << np.uint64(spot & 63)
    if count_row(mind, legend.LONGER, legend.FOODS) + count_row(mind, legend.SHORTER, legend.FOODS) > 0:
        mind.finding[legend.F_THEIR_FOOD] = 1


@inlined
def spread(mind: Mind, step: int) -> bool:
    """Take one step from MINE, LONGER and SHORTER at once; return whether anybody gained a spot."""
    masks, finding = mind.masks, mind.finding
    grow_row(mind, legend.MINE, legend.GROWN_MINE)
    grow_row(mind, legend.LONGER, legend.GROWN_LONGER)
    grow_row(mind, legend.SHORTER, legend.GROWN_SHORTER)
    gained, my_food, their_food = _ZERO, _ZERO, _ZERO
    exits = 0
    for word in range(mind.shape[legend.S_WORDS]):
        room = masks[legend.FREE, word] & ~(
            masks[legend.MINE, word] | masks[legend.LONGER, word] | masks[legend.SHORTER, word]
        )
        mine = masks[legend.GROWN_MINE, word] & room
        exits += count_bits(mine)
        longer = masks[legend.GROWN_LONGER, word] & room
        mine &= ~longer
        shorter = masks[legend.GROWN_SHORTER, word] & room & ~(mine | longer)
        masks[legend.MINE, word] |= mine
        masks[legend.LONGER, word] |= longer
        masks[legend.SHORTER, word] |= shorter
        gained |= mine | longer | shorter
        my_food |= mine & masks[legend.FOODS, word]
        their_food |= (longer | shorter) & masks[legend.FOODS, word]
    if step == 1:
        finding[legend.F_EXITS] = exits
    if finding[legend.F_FOOD] == 0 and my_food != _ZERO:
        finding[legend.F_FOOD] = step
    if finding[legend.F_THEIR_FOOD] == 0 and their_food != _ZERO:
        finding[legend.F_THEIR_FOOD] = step
    return gained != _ZERO


@inlined
def sum_up(mind: Mind, me: int, head: int) -> None:
    """Count what was reached."""
    masks, finding = mind.masks, mind.finding
    masks[legend.MINE, head >> 6] &= ~(_ONE << np.uint64(head & 63))
    for word in range(mind.shape[legend.S_WORDS]):
        masks[legend.GROWN, word] = masks[legend.LONGER, word] | masks[legend.SHORTER, word]
    finding[legend.F_MINE] = count_row(mind, legend.MINE, legend.BOARD)
    finding[legend.F_THEIRS] = count_row(mind, legend.GROWN, legend.BOARD)
    finding[legend.F_MINE_EDGE] = count_row(mind, legend.MINE, legend.EDGE)
    finding[legend.F_THEIRS_EDGE] = count_row(mind, legend.GROWN, legend.EDGE)
    finding[legend.F_MINE_HURTING] = count_row(mind, legend.MINE, legend.HURTING) if mind.shape[legend.S_HAZARDS] else 0
    finding[legend.F_TAIL] = has(mind, legend.MINE, mind.paths[me, mind.snakes[me, legend.TAIL_AT]])


@compiled
def flood_large(mind: Mind, me: int, turns: int) -> None:
    """Write into `finding` what `me` and the others reach first from where they stand, `turns` after the picture."""
    masks, shape = mind.masks, mind.shape
    mind.finding[:] = 0
    head = int(mind.paths[me, mind.snakes[me, legend.HEAD_AT]])
    for word in range(shape[legend.S_WORDS]):
        masks[legend.FREE, word] = masks[legend.BOARD, word] & ~masks[legend.OCCUPIED, word]
        masks[legend.MINE, word] = _ZERO
    masks[legend.MINE, head >> 6] = _ONE << np.uint64(head & 63)
    behind = turns_behind(mind)
    put_heads(mind, me, behind > 0)
    if behind > 0:
        catch_up(mind, me, behind, head)
    step = 0
    while True:
        step += 1
        vacate(mind, turns + step, -1)
        if not spread(mind, step):
            room = count_row(mind, legend.MINE, legend.BOARD)
            if room >= mind.snakes[me, legend.SIZE] or step > room or turns + step >= shape[legend.S_LAST_LEAVE]:
                break
    sum_up(mind, me, head)
