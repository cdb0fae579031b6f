"""Who reaches which spot first: one source, compiled for each number of words that a set of spots may take.

All heads spread at once, one step per turn, over what is free by then: a body's spots come free one by one from the
tail. A spot reached at the same step goes to the longer snake; equal lengths die there, so it is not mine.
The source of the idea is the flood on bit masks common in Go and Amazons programs ("bulk bitwise flood fill").
"""

from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.players import mind as legend
from pipeline.engine.players.bitboard import (
    Spots,
    any_of,
    common,
    down,
    placed,
    size,
    union,
    up,
    without,
    word_at,
    words_of,
)
from pipeline.engine.players.mind import MASK_WORDS, Mind, outlasts

_ONE = np.uint64(1)
_TWO = np.uint64(2)
_64 = np.uint64(64)
NARROW: Final = (np.uint64(0),) * 2
"""The empty set on boards of up to 128 spots: a flood of these holds its sets in registers."""
WIDE: Final = (np.uint64(0),) * MASK_WORDS
"""The empty set on any board."""


class Side(NamedTuple):
    """What `grow` needs to know of the board; `last_row`: the first spot of the last row."""

    width: Any
    not_left: Spots
    not_right: Spots
    wrapped: bool
    last_row: int


class Fronts(NamedTuple):
    """What I, those at least as long as me, and the shorter ones have reached; what nobody stands on."""

    mine: Spots
    longer: Spots
    shorter: Spots
    free: Spots


@inlined
def row(mind: Mind, number: int, like: Spots) -> Spots:
    """Return a row of masks."""
    return words_of(mind.masks[number], like)


@inlined
def only(spot: int, like: Spots) -> Spots:
    """Return the set of this spot alone."""
    return placed(_ONE << np.uint64(spot & 63), spot >> 6, like)


@inlined
def side_of(mind: Mind, like: Spots) -> Side:
    """Return the board's."""
    shape = mind.shape
    return Side(
        np.uint64(shape[legend.S_WIDTH]),
        row(mind, legend.NOT_LEFT, like),
        row(mind, legend.NOT_RIGHT, like),
        shape[legend.S_WRAPPED] > 0,
        shape[legend.S_SPOTS] - shape[legend.S_WIDTH],
    )


@inlined
def across(spots: Spots, side: Side) -> Spots:
    """Return the neighbours beyond the edges, maybe with bits beyond the board; a row takes less than a word."""
    at, by = side.last_row >> 6, np.uint64(side.last_row & 63)
    first, last = word_at(spots, 0), word_at(spots, at) >> by
    rows = placed(first << by, at, spots)
    if by + side.width > _64:  # the last row lies in two words
        rows = union(rows, placed(first >> (_64 - by), at + 1, spots))
        last |= word_at(spots, at + 1) << (_64 - by)
    # On a board one cell wide this is the step to the next row, once more.
    width = max(side.width, _TWO) - _ONE
    left, right = up(without(spots, side.not_left), width), down(without(spots, side.not_right), width)
    return union(union(rows, placed(last, 0, spots)), union(left, right))


@inlined
def grow(spots: Spots, side: Side) -> Spots:
    """Return the neighbours of a set of spots, maybe with bits beyond the board."""
    rows = union(up(spots, side.width), down(spots, side.width))
    beside = union(up(common(spots, side.not_right), _ONE), down(common(spots, side.not_left), _ONE))
    around = union(rows, beside)
    return union(around, across(spots, side)) if side.wrapped else around


@inlined
def heads(mind: Mind, me: int, longer: bool, least_behind: int, like: Spots) -> Spots:
    """Return the other living heads, of those at least as long as me or of the shorter ones, so many turns behind."""
    found = like
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        asked = fields[legend.LIVES] and snake != me and fields[legend.BEHIND] >= least_behind
        if asked and outlasts(mind, me, snake) == longer:
            found = union(found, only(mind.paths[snake, fields[legend.HEAD_AT]], like))
    return found


@inlined
def turns_behind(mind: Mind) -> int:
    """Return how many turns the snakes that were not moved are behind, 0 where all were."""
    most = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        if mind.snakes[snake, legend.LIVES]:
            most = max(most, mind.snakes[snake, legend.BEHIND])
    return most


@inlined
def catch_up(mind: Mind, me: int, behind: int, head: Spots, side: Side, free: Spots) -> tuple[Spots, Spots, Spots]:
    """Let the heads that were not moved go everywhere they might be by now; note what they threaten.

    Returns where longer and shorter ones may be, and what is free by now.
    """
    none = without(free, free)
    longer, shorter = heads(mind, me, True, 1, none), heads(mind, me, False, 1, none)
    for step in range(1, behind + 1):
        free = union(free, without(words_of(mind.leaving[step], free), head))
        grown = grow(longer, side)
        if any_of(common(grown, head)):
            mind.finding[legend.F_RISK] = 1
        longer = union(longer, common(grown, free))
        grown = grow(shorter, side)
        if any_of(common(grown, head)):
            mind.finding[legend.F_PREY] = 1
        shorter = union(shorter, without(common(grown, free), longer))
    return longer, shorter, free


@inlined
def note_food(mind: Mind, food: Spots, step: int, mine: Spots, others: Spots) -> None:
    """Write down at which step I, and the others, first come to food."""
    finding = mind.finding
    if finding[legend.F_FOOD] == 0 and any_of(common(mine, food)):
        finding[legend.F_FOOD] = step
    if finding[legend.F_THEIR_FOOD] == 0 and any_of(common(others, food)):
        finding[legend.F_THEIR_FOOD] = step


@inlined
def spread(mind: Mind, me: int, turns: int, fronts: Fronts, side: Side) -> tuple[Spots, Spots]:
    """Spread all fronts until nobody gains a spot nor waits for one; return what is mine and what others have."""
    mine, longer, shorter, free = fronts
    food, none = row(mind, legend.FOODS, mine), without(mine, mine)
    last_leave, any_longer, any_shorter = mind.shape[legend.S_LAST_LEAVE], any_of(longer), any_of(shorter)
    step = 0
    while True:
        step += 1
        if turns + step <= last_leave:
            free = union(free, words_of(mind.leaving[np.uint64(turns + step)], mine))
        room = without(free, union(mine, union(longer, shorter)))
        to_me, to_longer, to_shorter = common(grow(mine, side), room), none, none
        if step == 1:
            mind.finding[legend.F_EXITS] = size(to_me)
        if any_longer:
            to_longer = common(grow(longer, side), room)
            to_me = without(to_me, to_longer)
        if any_shorter:
            to_shorter = without(common(grow(shorter, side), room), union(to_me, to_longer))
        mine, longer, shorter = union(mine, to_me), union(longer, to_longer), union(shorter, to_shorter)
        note_food(mind, food, step, to_me, union(to_longer, to_shorter))
        if not any_of(union(to_me, union(to_longer, to_shorter))):
            # Walled in: the walls of bodies come down while there is room to wait in.
            waits = size(mine)
            if waits >= mind.snakes[me, legend.SIZE] or step > waits or turns + step >= last_leave:
                return mine, union(longer, shorter)


@inlined
def sum_up(mind: Mind, me: int, mine: Spots, others: Spots) -> None:
    """Count what was reached; my head's own spot is no room."""
    finding, edge = mind.finding, row(mind, legend.EDGE, mine)
    finding[legend.F_MINE] = size(mine)
    finding[legend.F_THEIRS] = size(others)
    finding[legend.F_MINE_EDGE] = size(common(mine, edge))
    finding[legend.F_THEIRS_EDGE] = size(common(others, edge))
    if mind.shape[legend.S_HAZARDS]:
        finding[legend.F_MINE_HURTING] = size(common(mine, row(mind, legend.HURTING, mine)))
    tail = only(mind.paths[me, mind.snakes[me, legend.TAIL_AT]], mine)
    finding[legend.F_TAIL] = any_of(common(mine, tail)) > 0


@inlined
def flood(mind: Mind, me: int, turns: int, none: Spots) -> None:
    """Write into `finding` what `me` and the others reach first from where they stand, `turns` after the picture.

    `none` is the empty set, NARROW or WIDE.
    """
    for finding in range(legend.FINDINGS):
        mind.finding[finding] = 0
    side, head = side_of(mind, none), only(mind.paths[me, mind.snakes[me, legend.HEAD_AT]], none)
    free = without(row(mind, legend.BOARD, none), row(mind, legend.OCCUPIED, none))
    longer, shorter = heads(mind, me, True, 0, none), heads(mind, me, False, 0, none)
    behind = turns_behind(mind)
    if behind > 0:
        late_longer, late_shorter, free = catch_up(mind, me, behind, head, side, free)
        longer, shorter = union(longer, late_longer), union(shorter, without(late_shorter, late_longer))
        if any_of(common(union(longer, shorter), row(mind, legend.FOODS, none))):
            mind.finding[legend.F_THEIR_FOOD] = 1
    mine, others = spread(mind, me, turns, Fronts(head, longer, shorter, free), side)
    sum_up(mind, me, without(mine, head), others)


@compiled
def flood_wide(mind: Mind, me: int, turns: int) -> None:
    """`flood` of any board; apart, since so many words need memory that the narrow one does without."""
    flood(mind, me, turns, WIDE)
