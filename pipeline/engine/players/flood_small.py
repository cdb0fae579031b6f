"""Who reaches which spot first, on boards of up to 128 spots: a bitboard is two machine words held in registers.

All heads spread at once, one step per turn, over what is free by then: a body's spots come free one by one from the
tail. A spot reached at the same step goes to the longer snake; equal lengths die there, so it is not mine.
The source of the idea is the flood on bit masks common in Go and Amazons programs ("bulk bitwise flood fill").
"""

from typing import Any

import numpy as np

from pipeline.engine.compile_cache import inlined
from pipeline.engine.players import mind as legend
from pipeline.engine.players.bits import count_bits
from pipeline.engine.players.mind import Mind
from pipeline.engine.players.spots import outlasts

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_63 = np.uint64(63)
_64 = np.uint64(64)


@inlined
def spot_words(spot: int) -> Any:
    """Return the two words of the bitboard that holds this spot alone."""
    bit = _ONE << np.uint64(spot & 63)
    if spot < 64:
        return bit, _ZERO
    return _ZERO, bit


@inlined
def shift_up(lo: Any, hi: Any, by: Any) -> Any:
    """Shift 128 bits to the left by 1 to 127."""
    if by < _64:
        return lo << by, (hi << by) | (lo >> (_64 - by))
    return _ZERO, lo << (by - _64)


@inlined
def shift_down(lo: Any, hi: Any, by: Any) -> Any:
    """Shift 128 bits to the right by 1 to 127."""
    if by < _64:
        return (lo >> by) | (hi << (_64 - by)), hi >> by
    return hi >> (by - _64), _ZERO


@inlined
def grow(lo: Any, hi: Any, side: Any) -> Any:
    """Return the neighbours of a set of spots, maybe with bits beyond the board; `side` is what `sides` returns."""
    width, not_left_lo, not_left_hi, not_right_lo, not_right_hi, wrapped, rest = side
    back = _64 - width
    left_lo, left_hi = lo & not_left_lo, hi & not_left_hi
    right_lo, right_hi = lo & not_right_lo, hi & not_right_hi
    out_lo = (lo << width) | (lo >> width) | (hi << back) | (right_lo << _ONE) | (left_lo >> _ONE) | (left_hi << _63)
    out_hi = (hi << width) | (lo >> back) | (hi >> width) | (right_hi << _ONE) | (right_lo >> _63) | (left_hi >> _ONE)
    if wrapped:
        a_lo, a_hi = shift_up(lo, hi, rest)
        b_lo, b_hi = shift_down(lo, hi, rest)
        c_lo, c_hi = shift_up(lo & ~not_left_lo, hi & ~not_left_hi, width - _ONE)
        d_lo, d_hi = shift_down(lo & ~not_right_lo, hi & ~not_right_hi, width - _ONE)
        out_lo |= a_lo | b_lo | c_lo | d_lo
        out_hi |= a_hi | b_hi | c_hi | d_hi
    return out_lo, out_hi


@inlined
def sides(mind: Mind) -> Any:
    """Return what `grow` needs to know of the board."""
    masks, shape = mind.masks, mind.shape
    return (
        np.uint64(shape[legend.S_WIDTH]),
        masks[legend.NOT_LEFT, 0],
        masks[legend.NOT_LEFT, 1],
        masks[legend.NOT_RIGHT, 0],
        masks[legend.NOT_RIGHT, 1],
        shape[legend.S_WRAPPED] > 0,
        np.uint64(shape[legend.S_SPOTS] - shape[legend.S_WIDTH]),
    )


@inlined
def heads(mind: Mind, me: int, longer: bool) -> Any:
    """Return the set of the other living heads, of those at least as long as me or of the shorter ones."""
    lo, hi = _ZERO, _ZERO
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[legend.LIVES] and snake != me and outlasts(mind, me, snake) == longer:
            bit_lo, bit_hi = spot_words(mind.paths[snake, fields[legend.HEAD_AT]])
            lo |= bit_lo
            hi |= bit_hi
    return lo, hi


@inlined
def heads_behind(mind: Mind, me: int, longer: bool) -> Any:
    """The same for the heads that were not moved in the turns looked ahead."""
    lo, hi = _ZERO, _ZERO
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        if fields[legend.LIVES] and fields[legend.BEHIND] > 0 and snake != me and outlasts(mind, me, snake) == longer:
            bit_lo, bit_hi = spot_words(mind.paths[snake, fields[legend.HEAD_AT]])
            lo |= bit_lo
            hi |= bit_hi
    return lo, hi


@inlined
def turns_behind(mind: Mind) -> int:
    """Return how many turns the snakes that were not moved are behind, 0 where all were."""
    most = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        if mind.snakes[snake, legend.LIVES]:
            most = max(most, mind.snakes[snake, legend.BEHIND])
    return most


@inlined
def flood_small(mind: Mind, me: int, turns: int) -> None:  # noqa: PLR0912, PLR0915 - two words of registers
    """Write into `finding` what `me` and the others reach first from where they stand, `turns` after the picture."""
    masks, leaving, finding, side = mind.masks, mind.leaving, mind.finding, sides(mind)
    many = mind.shape[legend.S_SNAKES] > 1
    last_leave = mind.shape[legend.S_LAST_LEAVE]
    me_fields = mind.snakes[me]
    free_lo, free_hi = (
        masks[legend.BOARD, 0] & ~masks[legend.OCCUPIED, 0],
        masks[legend.BOARD, 1] & ~masks[legend.OCCUPIED, 1],
    )
    food_lo, food_hi = masks[legend.FOODS, 0], masks[legend.FOODS, 1]
    m_lo, m_hi = spot_words(mind.paths[me, me_fields[legend.HEAD_AT]])
    head_lo, head_hi = m_lo, m_hi
    l_lo, l_hi = heads(mind, me, True)
    s_lo, s_hi = heads(mind, me, False)
    finding[legend.F_RISK] = 0
    finding[legend.F_PREY] = 0
    finding[legend.F_FOOD] = 0
    finding[legend.F_THEIR_FOOD] = 0
    finding[legend.F_EXITS] = 0
    behind = turns_behind(mind)
    if behind > 0:
        bl_lo, bl_hi = heads_behind(mind, me, True)
        bs_lo, bs_hi = heads_behind(mind, me, False)
        for step in range(1, behind + 1):
            free_lo |= leaving[step, 0] & ~head_lo
            free_hi |= leaving[step, 1] & ~head_hi
            g_lo, g_hi = grow(bl_lo, bl_hi, side)
            if (g_lo & head_lo) | (g_hi & head_hi):
                finding[legend.F_RISK] = 1
            bl_lo |= g_lo & free_lo
            bl_hi |= g_hi & free_hi
            g_lo, g_hi = grow(bs_lo, bs_hi, side)
            if (g_lo & head_lo) | (g_hi & head_hi):
                finding[legend.F_PREY] = 1
            bs_lo |= g_lo & free_lo & ~bl_lo
            bs_hi |= g_hi & free_hi & ~bl_hi
        l_lo |= bl_lo
        l_hi |= bl_hi
        s_lo |= bs_lo & ~bl_lo
        s_hi |= bs_hi & ~bl_hi
        food = (l_lo | s_lo) & food_lo, (l_hi | s_hi) & food_hi
        if food[0] | food[1]:
            finding[legend.F_THEIR_FOOD] = 1
    any_shorter = (s_lo | s_hi) != _ZERO
    any_longer = (l_lo | l_hi) != _ZERO
    step = 0
    while True:
        step += 1
        if turns + step <= last_leave:
            free_lo |= leaving[turns + step, 0]
            free_hi |= leaving[turns + step, 1]
        open_lo = free_lo & ~(m_lo | l_lo | s_lo)
        open_hi = free_hi & ~(m_hi | l_hi | s_hi)
        gm_lo, gm_hi = grow(m_lo, m_hi, side)
        gm_lo &= open_lo
        gm_hi &= open_hi
        if step == 1:
            finding[legend.F_EXITS] = count_bits(gm_lo) + count_bits(gm_hi)
        theirs_lo, theirs_hi = _ZERO, _ZERO
        if any_longer:
            theirs_lo, theirs_hi = grow(l_lo, l_hi, side)
            theirs_lo &= open_lo
            theirs_hi &= open_hi
            gm_lo &= ~theirs_lo
            gm_hi &= ~theirs_hi
            l_lo |= theirs_lo
            l_hi |= theirs_hi
        m_lo |= gm_lo
        m_hi |= gm_hi
        if any_shorter:
            g_lo, g_hi = grow(s_lo, s_hi, side)
            g_lo &= open_lo & ~(gm_lo | theirs_lo)
            g_hi &= open_hi & ~(gm_hi | theirs_hi)
            s_lo |= g_lo
            s_hi |= g_hi
            theirs_lo |= g_lo
            theirs_hi |= g_hi
        if finding[legend.F_FOOD] == 0 and ((gm_lo & food_lo) | (gm_hi & food_hi)):
            finding[legend.F_FOOD] = step
        if many and finding[legend.F_THEIR_FOOD] == 0 and ((theirs_lo & food_lo) | (theirs_hi & food_hi)):
            finding[legend.F_THEIR_FOOD] = step
        if (gm_lo | gm_hi | theirs_lo | theirs_hi) == _ZERO:
            # Walled in: the walls of bodies come down while there is room to wait in.
            room: int = count_bits(m_lo) + count_bits(m_hi)
            if room >= me_fields[legend.SIZE] or step > room or turns + step >= last_leave:
                break
    # The head's own spot is no room.
    m_lo &= ~head_lo
    m_hi &= ~head_hi
    t_lo, t_hi = l_lo | s_lo, l_hi | s_hi
    edge_lo, edge_hi = masks[legend.EDGE, 0], masks[legend.EDGE, 1]
    finding[legend.F_MINE] = count_bits(m_lo) + count_bits(m_hi)
    finding[legend.F_THEIRS] = count_bits(t_lo) + count_bits(t_hi)
    finding[legend.F_MINE_EDGE] = count_bits(m_lo & edge_lo) + count_bits(m_hi & edge_hi)
    finding[legend.F_THEIRS_EDGE] = count_bits(t_lo & edge_lo) + count_bits(t_hi & edge_hi)
    finding[legend.F_MINE_HURTING] = 0
    if mind.shape[legend.S_HAZARDS]:
        finding[legend.F_MINE_HURTING] = count_bits(m_lo & masks[legend.HURTING, 0]) + count_bits(
            m_hi & masks[legend.HURTING, 1]
        )
    tail_lo, tail_hi = spot_words(mind.paths[me, me_fields[legend.TAIL_AT]])
    finding[legend.F_TAIL] = ((m_lo & tail_lo) | (m_hi & tail_hi)) != _ZERO
