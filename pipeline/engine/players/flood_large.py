"""The flood of `flood_small` for boards of any size: the same steps, on bitboards of several words in memory."""

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.players.bits import count_bits
from pipeline.engine.players.flood_small import turns_behind
from pipeline.engine.players.mind import (
    BEHIND,
    BOARD,
    EDGE,
    F_EXITS,
    F_FOOD,
    F_MINE,
    F_MINE_EDGE,
    F_MINE_HURTING,
    F_PREY,
    F_RISK,
    F_TAIL,
    F_THEIR_FOOD,
    F_THEIRS,
    F_THEIRS_EDGE,
    FOODS,
    FREE,
    GROWN,
    GROWN_LONGER,
    GROWN_MINE,
    GROWN_SHORTER,
    HEAD_AT,
    HURTING,
    LIVES,
    LONGER,
    MINE,
    NOT_LEFT,
    NOT_RIGHT,
    OCCUPIED,
    S_HAZARDS,
    S_LAST_LEAVE,
    S_SNAKES,
    S_SPOTS,
    S_WIDTH,
    S_WORDS,
    S_WRAPPED,
    SHORTER,
    SIZE,
    TAIL_AT,
    Mind,
)
from pipeline.engine.players.spots import has, outlasts

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_63 = np.uint64(63)


@compiled
def add_shifted_up(mind: Mind, source: int, only: int, invert: bool, by: int, target: int) -> None:
    """Add to row `target` the row `source` within the row `only` (or outside it), `by` bits to the left."""
    words, masks = mind.shape[S_WORDS], mind.masks
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
    words, masks = mind.shape[S_WORDS], mind.masks
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
    width = shape[S_WIDTH]
    for word in range(shape[S_WORDS]):
        masks[target, word] = _ZERO
    add_shifted_up(mind, source, BOARD, False, width, target)
    add_shifted_down(mind, source, BOARD, False, width, target)
    add_shifted_up(mind, source, NOT_RIGHT, False, 1, target)
    add_shifted_down(mind, source, NOT_LEFT, False, 1, target)
    if shape[S_WRAPPED]:
        add_shifted_up(mind, source, BOARD, False, shape[S_SPOTS] - width, target)
        add_shifted_down(mind, source, BOARD, False, shape[S_SPOTS] - width, target)
        add_shifted_up(mind, source, NOT_LEFT, True, width - 1, target)
        add_shifted_down(mind, source, NOT_RIGHT, True, width - 1, target)
    for word in range(shape[S_WORDS]):
        masks[target, word] &= masks[BOARD, word]


@inlined
def vacate(mind: Mind, step: int, head: int) -> None:
    """Add to FREE what bodies leave `step` turns after the picture, never `head`."""
    if step <= mind.shape[S_LAST_LEAVE]:
        for word in range(mind.shape[S_WORDS]):
            mind.masks[FREE, word] |= mind.leaving[step, word]
        if head >= 0:
            mind.masks[FREE, head >> 6] &= ~(_ONE << np.uint64(head & 63))


@inlined
def put_heads(mind: Mind, me: int, behind: bool) -> None:
    """Write the other living heads into LONGER and SHORTER; only those not moved yet, or only those moved."""
    for word in range(mind.shape[S_WORDS]):
        mind.masks[LONGER, word] = _ZERO
        mind.masks[SHORTER, word] = _ZERO
    for snake in range(mind.shape[S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[LIVES] and snake != me and (fields[BEHIND] > 0) == behind:
            spot = int(mind.paths[snake, fields[HEAD_AT]])
            row = LONGER if outlasts(mind, me, snake) else SHORTER
            mind.masks[row, spot >> 6] |= _ONE << np.uint64(spot & 63)


@inlined
def count_row(mind: Mind, row: int, only: int) -> int:
    """Return how many spots two rows share."""
    total = 0
    for word in range(mind.shape[S_WORDS]):
        total += count_bits(mind.masks[row, word] & mind.masks[only, word])
    return total


@inlined
def catch_up(mind: Mind, me: int, behind: int, head: int) -> None:
    """Let the heads that were not moved go everywhere they might be by now; note what they threaten."""
    masks, words = mind.masks, mind.shape[S_WORDS]
    for step in range(1, behind + 1):
        vacate(mind, step, head)
        grow_row(mind, LONGER, GROWN_LONGER)
        grow_row(mind, SHORTER, GROWN_SHORTER)
        if has(mind, GROWN_LONGER, head):
            mind.finding[F_RISK] = 1
        if has(mind, GROWN_SHORTER, head):
            mind.finding[F_PREY] = 1
        for word in range(words):
            masks[LONGER, word] |= masks[GROWN_LONGER, word] & masks[FREE, word]
            masks[SHORTER, word] |= masks[GROWN_SHORTER, word] & masks[FREE, word] & ~masks[LONGER, word]
    for word in range(words):
        masks[SHORTER, word] &= ~masks[LONGER, word]
    for snake in range(mind.shape[S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[LIVES] and snake != me and fields[BEHIND] == 0:
            spot = int(mind.paths[snake, fields[HEAD_AT]])
            row = LONGER if outlasts(mind, me, snake) else SHORTER
            masks[row, spot >> 6] |= _ONE << np.uint64(spot & 63)
    if count_row(mind, LONGER, FOODS) + count_row(mind, SHORTER, FOODS) > 0:
        mind.finding[F_THEIR_FOOD] = 1


@inlined
def spread(mind: Mind, step: int) -> bool:
    """Take one step from MINE, LONGER and SHORTER at once; return whether anybody gained a spot."""
    masks, finding = mind.masks, mind.finding
    grow_row(mind, MINE, GROWN_MINE)
    grow_row(mind, LONGER, GROWN_LONGER)
    grow_row(mind, SHORTER, GROWN_SHORTER)
    gained, my_food, their_food = _ZERO, _ZERO, _ZERO
    exits = 0
    for word in range(mind.shape[S_WORDS]):
        room = masks[FREE, word] & ~(masks[MINE, word] | masks[LONGER, word] | masks[SHORTER, word])
        mine = masks[GROWN_MINE, word] & room
        exits += count_bits(mine)
        longer = masks[GROWN_LONGER, word] & room
        mine &= ~longer
        shorter = masks[GROWN_SHORTER, word] & room & ~(mine | longer)
        masks[MINE, word] |= mine
        masks[LONGER, word] |= longer
        masks[SHORTER, word] |= shorter
        gained |= mine | longer | shorter
        my_food |= mine & masks[FOODS, word]
        their_food |= (longer | shorter) & masks[FOODS, word]
    if step == 1:
        finding[F_EXITS] = exits
    if finding[F_FOOD] == 0 and my_food != _ZERO:
        finding[F_FOOD] = step
    if finding[F_THEIR_FOOD] == 0 and their_food != _ZERO:
        finding[F_THEIR_FOOD] = step
    return gained != _ZERO


@inlined
def sum_up(mind: Mind, me: int, head: int) -> None:
    """Count what was reached."""
    masks, finding = mind.masks, mind.finding
    masks[MINE, head >> 6] &= ~(_ONE << np.uint64(head & 63))
    for word in range(mind.shape[S_WORDS]):
        masks[GROWN, word] = masks[LONGER, word] | masks[SHORTER, word]
    finding[F_MINE] = count_row(mind, MINE, BOARD)
    finding[F_THEIRS] = count_row(mind, GROWN, BOARD)
    finding[F_MINE_EDGE] = count_row(mind, MINE, EDGE)
    finding[F_THEIRS_EDGE] = count_row(mind, GROWN, EDGE)
    finding[F_MINE_HURTING] = count_row(mind, MINE, HURTING) if mind.shape[S_HAZARDS] else 0
    finding[F_TAIL] = has(mind, MINE, mind.paths[me, mind.snakes[me, TAIL_AT]])


@compiled
def flood_large(mind: Mind, me: int, turns: int) -> None:
    """Write into `finding` what `me` and the others reach first from where they stand, `turns` after the picture."""
    masks, shape = mind.masks, mind.shape
    mind.finding[:] = 0
    head = int(mind.paths[me, mind.snakes[me, HEAD_AT]])
    for word in range(shape[S_WORDS]):
        masks[FREE, word] = masks[BOARD, word] & ~masks[OCCUPIED, word]
        masks[MINE, word] = _ZERO
    masks[MINE, head >> 6] = _ONE << np.uint64(head & 63)
    behind = turns_behind(mind)
    put_heads(mind, me, behind > 0)
    if behind > 0:
        catch_up(mind, me, behind, head)
    step = 0
    while True:
        step += 1
        vacate(mind, turns + step, -1)
        if not spread(mind, step):
            room = count_row(mind, MINE, BOARD)
            if room >= mind.snakes[me, SIZE] or step > room or turns + step >= shape[S_LAST_LEAVE]:
                break
    sum_up(mind, me, head)
