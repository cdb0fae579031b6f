"""Whose ground is it, after each of my next two moves and two replies? Fixed layers of a network, nothing learned.

Who is trapped two turns from now decides games and is what convolutions learn slowest: the `strong` player that looks
one turn less ahead wins 19 % against itself. So it is not learned, but told, in the spirit of Tamar et al. 2016 ("Value
iteration networks": an algorithm in the network, learned layers around it). For each pair of my moves, and each pair of
moves of the nearest opponent (or of all that are equally near), everyone then spreads over the board at once, a cell
per turn, through cells that bodies have left by then; other opponents go everywhere from the start, and in a last
column the nearest does, too. A cell is mine if I am there before every snake that I lose or tie against, and not after
one that I beat.

What is told of each pair of pairs stands in `territory_tensors.ABOUT`. Two forms give the same numbers: one of
ordinary operations on tensors there, which can be exported, and a compiled one here, on bitboards for 11x11 frames on
the CPU, which training uses. Neither carries a gradient. Edges that wrap are taken for walls, and hazards for free
cells.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.planes import FRAME
from pipeline.engine.players.bitboard import size
from pipeline.evolution.territory_tensors import (
    BODIES,
    FOOD,
    LENGTHS,
    MINE,
    MOST_STEPS,
    MY_BODY,
    MY_HEAD,
    NUMBERS,
    REPLIES,
    SOON,
    STRONG,
    WEAK,
    TerritoryFeatures,
    territory_features_by_tensors,
)

# The compiled form. A bitboard is two words of 64 bits, cell `y * 11 + x`; places beyond cell 120 are never free.
_ONE: Final = np.uint64(1)
_NONE: Final = np.uint64(0)
_LOW: Final = np.uint64(53)
_LINE: Final = np.uint64(FRAME)
_LAST: Final = np.uint64(63)


def _column(column: int, word: int) -> np.uint64:
    cells = (y * FRAME + column for y in range(FRAME))
    return np.uint64(sum(1 << (cell - 64 * word) for cell in cells if 64 * word <= cell < 64 * word + 64))


_NOT_LEFT: Final = (~_column(0, 0), ~_column(0, 1))
_NOT_RIGHT: Final = (~_column(FRAME - 1, 0), ~_column(FRAME - 1, 1))

Words = NDArray[np.uint64]
_TURNS: Final = MOST_STEPS + 1
_FREE: Final = 0
"""Rows of the compiled form's memory: cells free after t turns at _FREE + t, then these sets, then per pair of moves
what is reached after t turns: mine, stronger snakes', weaker snakes'; then the first and second cells of each pair."""
_HEAD, _S, _W, _F, _NEAR, _NEAR_S, _NEAR_W, _NOBODY = (_TURNS + index for index in range(8))
_ME: Final = _TURNS + 8
_BY_S: Final = _ME + 17 * _TURNS
_BY_W: Final = _BY_S + 17 * _TURNS
_CELLS: Final = _BY_W + 17 * _TURNS
_MEMORY: Final = _CELLS + 3 * 34


@inlined
def _step(low: Any, high: Any, way: int) -> Any:
    """One cell up, down, left or right."""
    if way == 0:
        return low << _LINE, (high << _LINE) | (low >> _LOW)
    if way == 1:
        return (low >> _LINE) | (high << _LOW), high >> _LINE
    if way == 2:
        low, high = low & _NOT_LEFT[0], high & _NOT_LEFT[1]
        return (low >> _ONE) | (high << _LAST), high >> _ONE
    low, high = low & _NOT_RIGHT[0], high & _NOT_RIGHT[1]
    return low << _ONE, (high << _ONE) | (low >> _LAST)


@inlined
def _wider(low: Any, high: Any) -> Any:
    """The cells and their neighbours."""
    right_low, right_high = low & _NOT_RIGHT[0], high & _NOT_RIGHT[1]
    left_low, left_high = low & _NOT_LEFT[0], high & _NOT_LEFT[1]
    return (
        low
        | (low << _LINE)
        | (low >> _LINE)
        | (high << _LOW)
        | (right_low << _ONE)
        | (left_low >> _ONE)
        | (left_high << _LAST),
        high
        | (high << _LINE)
        | (low >> _LOW)
        | (high >> _LINE)
        | (right_high << _ONE)
        | (right_low >> _LAST)
        | (left_high >> _ONE),
    )


@inlined
def _count(low: Any, high: Any) -> Any:
    return size((low, high))


@compiled
def _picture(board: NDArray[np.float32], steps: int, memory: Words) -> Any:  # noqa: PLR0912 - a bitboard per plane
    """Fill the memory from one row's planes; return my length and the nearest opponent's."""
    memory[:] = np.uint64(0)
    length, head_row, head_column, least = 0, 0, 0, 1000
    for row in range(FRAME):
        for column in range(FRAME):
            if board[MY_HEAD, row, column] > 0:
                head_row, head_column = row, column
    for row in range(FRAME):
        for column in range(FRAME):
            if board[STRONG, row, column] > 0 or board[WEAK, row, column] > 0:
                least = min(least, abs(row - head_row) + abs(column - head_column))
    near_length = 0
    for row in range(FRAME):
        for column in range(FRAME):
            cell = row * FRAME + column
            word, bit = cell >> 6, _ONE << np.uint64(cell & 63)
            mine = int(board[MY_BODY, row, column] * 32 + np.float32(0.5))
            length = max(length, mine)
            leaves = max(mine, int(board[BODIES, row, column] * 32 + np.float32(0.5)))
            if board[0, row, column] > 0 and leaves <= steps:
                memory[_FREE + max(leaves, 1), word] |= bit
            if board[MY_HEAD, row, column] > 0:
                memory[_HEAD, word] |= bit
            if board[FOOD, row, column] > 0:
                memory[_F, word] |= bit
            if board[STRONG, row, column] > 0:
                memory[_S, word] |= bit
            if board[WEAK, row, column] > 0:
                memory[_W, word] |= bit
            other = board[STRONG, row, column] > 0 or board[WEAK, row, column] > 0
            if other and abs(row - head_row) + abs(column - head_column) == least:
                memory[_NEAR, word] |= bit
                near_length = max(near_length, int(board[LENGTHS, row, column] * 32 + np.float32(0.5)))
    for word in range(2):
        memory[_NEAR_S, word] = memory[_NEAR, word] & memory[_S, word]
        memory[_NEAR_W, word] = memory[_NEAR, word] & memory[_W, word]
    for turn in range(2, steps + 1):
        memory[_FREE + turn, 0] |= memory[_FREE + turn - 1, 0]
        memory[_FREE + turn, 1] |= memory[_FREE + turn - 1, 1]
    return length, near_length


@compiled
def _spread_pair(memory: Words, heads: int, whole: int, into: int, cells: int, pair: int, steps: int) -> None:
    """Fill rows `into` + turn for one pair of moves (16: everywhere), and the pair's cells at `cells`, `cells` + 1."""
    first, first_high, second, second_high = _NONE, _NONE, _NONE, _NONE
    low, high = memory[whole, 0], memory[whole, 1]
    if pair < 16:
        low, high = low & ~memory[heads, 0], high & ~memory[heads, 1]
        first, first_high = _step(memory[heads, 0], memory[heads, 1], pair >> 2)
        first, first_high = first & memory[_FREE + 1, 0], first_high & memory[_FREE + 1, 1]
        second, second_high = _step(first, first_high, pair & 3)
        second, second_high = second & memory[_FREE + 2, 0], second_high & memory[_FREE + 2, 1]
        if (second | second_high) == 0:
            first, first_high = _NONE, _NONE
    memory[cells, 0], memory[cells, 1] = first, first_high
    memory[cells + 1, 0], memory[cells + 1, 1] = second, second_high
    memory[into, 0], memory[into, 1] = _NONE, _NONE
    for turn in range(1, steps + 1):
        wide, wide_high = _wider(low, high)
        more = wide & memory[_FREE + turn, 0] & ~first
        more_high = wide_high & memory[_FREE + turn, 1] & ~first_high
        if turn == 1:
            low, high = more, more_high
        else:
            low, high = low | more, high | more_high
        if turn == 2:
            low, high = low | (second & ~first), high | (second_high & ~first_high)
        memory[into + turn, 0], memory[into + turn, 1] = low | first, high | first_high


@compiled
def _tell(memory: Words, pair: int, reply: int, steps: int, told: NDArray[np.float32]) -> None:
    """Count one pair of pairs."""
    me, strong, weak = _ME + pair * _TURNS, _BY_S + reply * _TURNS, _BY_W + reply * _TURNS
    own, own_high = _NONE, _NONE
    eats, soon = 0, 0
    for turn in range(1, steps + 1):
        new = memory[me + turn, 0] & ~memory[me + turn - 1, 0]
        new_high = memory[me + turn, 1] & ~memory[me + turn - 1, 1]
        new &= ~(memory[strong + turn, 0] | memory[weak + turn - 1, 0])
        new_high &= ~(memory[strong + turn, 1] | memory[weak + turn - 1, 1])
        own, own_high = own | new, own_high | new_high
        if eats == 0 and ((new & memory[_F, 0]) | (new_high & memory[_F, 1])) != 0:
            eats = steps + 1 - turn
        if turn <= SOON:
            soon = _count(own, own_high)
    lost = (memory[strong + steps, 0] | memory[weak + steps, 0]) & ~own
    lost_high = (memory[strong + steps, 1] | memory[weak + steps, 1]) & ~own_high
    food, food_high = lost & memory[_F, 0], lost_high & memory[_F, 1]
    their = 0
    if (food | food_high) != 0:
        for turn in range(1, steps + 1):
            low = food & (memory[strong + turn, 0] | memory[weak + turn, 0])
            high = food_high & (memory[strong + turn, 1] | memory[weak + turn, 1])
            if (low | high) != 0:
                their = steps + 1 - turn
                break
    told[1] = _count(own, own_high)
    told[2] = _count(lost, lost_high)
    told[3] = soon
    told[6] = eats
    told[7] = their


@inlined
def _share(memory: Words, a: int, b: int) -> bool:
    """Whether two sets share a cell."""
    return bool(((memory[a, 0] & memory[b, 0]) | (memory[a, 1] & memory[b, 1])) != 0)


@inlined
def _clash_of(memory: Words, me: int, strong: int, weak: int) -> int:
    if _share(memory, me, strong) or _share(memory, me + 1, strong + 1):
        return -1
    if _share(memory, me + 1, strong) or _share(memory, me + 1, weak):
        return -1
    if _share(memory, me, weak) or _share(memory, me + 1, weak + 1):
        return 1
    return 1 if _share(memory, me, strong + 1) or _share(memory, me, weak + 1) else 0


@inlined
def _cells_of(side: int, pair: int) -> int:
    return _CELLS + 34 * side + 2 * pair


@compiled
def _compute_board(
    memory: Words, steps: int, length: int, near_length: int, told: NDArray[np.float32], mine: NDArray[np.float32],
    replies: NDArray[np.float32],
) -> None:  # fmt: skip
    for pair in range(REPLIES):
        if pair < MINE:
            cells = _cells_of(0, pair)
            _spread_pair(memory, _HEAD, _NOBODY, _ME + pair * _TURNS, cells, pair, steps)
            mine[pair] = (memory[cells + 1, 0] | memory[cells + 1, 1]) != 0
        _spread_pair(memory, _NEAR_S, _S, _BY_S + pair * _TURNS, _cells_of(1, pair), pair, steps)
        _spread_pair(memory, _NEAR_W, _W, _BY_W + pair * _TURNS, _cells_of(2, pair), pair, steps)
        strong, weak = _cells_of(1, pair) + 1, _cells_of(2, pair) + 1
        there = memory[strong, 0] | memory[strong, 1] | memory[weak, 0] | memory[weak, 1]
        replies[pair] = pair == 16 or there != 0
    for pair in range(MINE):
        for reply in range(REPLIES):
            if mine[pair] == 0 or replies[reply] == 0:
                continue
            row = told[pair, reply]
            clash = _clash_of(memory, _cells_of(0, pair), _cells_of(1, reply), _cells_of(2, reply))
            row[0] = clash
            if clash < 0:
                continue
            _tell(memory, pair, reply, steps, row)
            row[4] = min(row[1] / max(length, 1), 1)
            row[5] = min(row[2] / max(near_length, 1), 1)
            row[1] /= FRAME * FRAME
            row[2] /= FRAME * FRAME
            row[3] /= 32
            row[6] /= steps
            row[7] /= steps


@compiled
def _compute_boards(
    boards: NDArray[np.float32], steps: int, memory: Words, told: NDArray[np.float32], mine: NDArray[np.float32],
    replies: NDArray[np.float32],
) -> None:  # fmt: skip
    for index in range(boards.shape[0]):
        length, near_length = _picture(boards[index], steps, memory)
        _compute_board(memory, steps, length, near_length, told[index], mine[index], replies[index])


def territory_features(board: Tensor, steps: int) -> TerritoryFeatures:
    """Return what is told of boards float32[N, 12, H, W] (scaled planes), flooding `steps` (at least 2) turns."""
    with torch.no_grad():
        if board.device.type != "cpu" or board.shape[2] != FRAME or torch.compiler.is_exporting():
            return territory_features_by_tensors(board, steps)
        rows = board.shape[0]
        told = np.zeros((rows, MINE, REPLIES, NUMBERS), np.float32)
        mine, replies = np.zeros((rows, MINE), np.float32), np.zeros((rows, REPLIES), np.float32)
        _compute_boards(board.detach().numpy(), steps, np.zeros((_MEMORY, 2), np.uint64), told, mine, replies)
        return TerritoryFeatures(torch.from_numpy(told), torch.from_numpy(mine), torch.from_numpy(replies))
