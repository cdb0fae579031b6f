"""Whose ground is it, after each of my moves and each reply? A flood over the board as fixed layers of a network.

A flood is what convolutions learn slowest and what decides games, so it is not learned (in the spirit of Tamar et al.
2016, "Value iteration networks": an algorithm inside the network, learned layers around it). For each of my four moves,
against each of four moves of the nearest opponent (or of all that are equally near) and against "anybody anywhere",
everyone then spreads over the board at once, a cell per turn, through cells that bodies have left by then:

- a snake that I lose or tie against takes a cell that we reach at once, I take it from one that I beat;
- cells taken by one side bar the others.

What is told of each flood stands in `ABOUT`. Two forms give the same numbers: one of ordinary operations on tensors,
which can be exported, and a compiled one on bitboards for 11x11 frames on the CPU, which training uses. Neither carries
a gradient. Edges that wrap are taken for walls, and hazards for free cells.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.planes import CHANNELS, FRAME
from pipeline.engine.players.bits import count_bits

ABOUT: Final = (
    "1 if both moves are open",
    "my cells, of the frame's",
    "the others' cells, of the frame's",
    "my cells after 4 turns, 32nds",
    "my cells by my length, at most 1",
    "the others' cells by the nearest one's length, at most 1",
    "how soon I reach food first, 1 at once, 0 not at all",
    "how soon another does",
)
TOLD: Final = len(ABOUT)
REPLIES: Final = 5
"""Up, down, left, right of the nearest opponent; then: all of them everywhere."""
SOON: Final = 4
_FOOD, _MY_BODY, _BODIES, _MY_HEAD = (CHANNELS.index(name) for name in ("food", "my_body", "other_bodies", "my_head"))
_STRONG, _WEAK, _LENGTHS = (CHANNELS.index(name) for name in ("stronger_heads", "weaker_heads", "other_lengths"))
_MOST_STEPS: Final = 64


def survey(board: Tensor, steps: int) -> Tensor:
    """Return float32[N, 4, REPLIES, TOLD] for boards float32[N, 12, H, W] (scaled planes), flooding `steps` turns."""
    with torch.no_grad():
        if board.device.type != "cpu" or board.shape[2] != FRAME or torch.compiler.is_exporting():
            return survey_by_tensors(board, steps)
        told = np.zeros((board.shape[0], 4, REPLIES, TOLD), np.float32)
        _survey(board.detach().numpy(), steps, np.zeros((_MEMORY, 2), np.uint64), told)
        return torch.from_numpy(told)


def _shift(planes: Tensor, way: int) -> Tensor:
    """Move planes [N, C, H, W] one cell up, down, left or right; what leaves the frame is gone."""
    height, width = planes.shape[2], planes.shape[3]
    wide = functional.pad(planes, (1, 1, 1, 1))
    row, column = ((0, 1), (2, 1), (1, 2), (1, 0))[way]
    return wide[:, :, row : row + height, column : column + width]


def _grow(planes: Tensor) -> Tensor:
    """Add each set cell's four neighbours."""
    upright = functional.max_pool2d(planes, (3, 1), 1, (1, 0))
    return torch.maximum(upright, functional.max_pool2d(planes, (1, 3), 1, (0, 1)))


def _nearest(heads: Tensor, mine: Tensor) -> Tensor:
    """Return [N, 1, H, W]: 1 on the other heads with the fewest steps to mine."""
    rows = torch.arange(heads.shape[2], dtype=heads.dtype, device=heads.device)[None, None, :, None]
    columns = torch.arange(heads.shape[3], dtype=heads.dtype, device=heads.device)[None, None, None]
    row, column = ((mine * place).sum((2, 3), keepdim=True) for place in (rows, columns))
    steps = (rows - row).abs() + (columns - column).abs() + (1 - heads) * 1000
    return ((steps <= steps.amin((2, 3), keepdim=True)) & (heads > 0)).to(heads.dtype)


def survey_by_tensors(board: Tensor, steps: int) -> Tensor:
    """`survey` in ordinary operations, for any frame and device."""
    kind = board.dtype
    inside = (board[:, :1] > 0).to(kind)
    leaves = torch.maximum(board[:, _MY_BODY : _MY_BODY + 1], board[:, _BODIES : _BODIES + 1]) * 32
    head, strong, weak = ((board[:, plane : plane + 1] > 0).to(kind) for plane in (_MY_HEAD, _STRONG, _WEAK))
    food = (board[:, _FOOD : _FOOD + 1] > 0).to(kind)
    near = _nearest(torch.maximum(strong, weak), head)
    free = inside * (leaves < 1.5).to(kind)
    start = torch.cat([_shift(head, way) for way in range(4)], 1) * free
    moved = [torch.cat([_shift(near * heads, way) for way in range(4)], 1) for heads in (strong, weak)]
    rest = [_grow(heads * (1 - near)) for heads in (strong, weak)]
    # Sets are [N, 4 my moves, 5 replies, H, W], kept as 20 channels.
    theirs = [
        torch.cat([torch.maximum(m, r), _grow(heads)], 1) * free
        for m, r, heads in zip(moved, rest, (strong, weak), strict=True)
    ]
    open_replies = (torch.maximum(moved[0], moved[1]) * free).amax((2, 3))
    valid = start.amax((2, 3))[:, :, None] * torch.cat([open_replies, torch.ones_like(open_replies[:, :1])], 1)[:, None]
    mine = start.repeat_interleave(REPLIES, 1)
    strong, weak = (sets.repeat(1, 4, 1, 1) for sets in theirs)
    certain = torch.tensor([1.0] * 4 + [0.0], dtype=kind, device=board.device).repeat(4)[None, :, None, None]
    mine = mine * (1 - strong * certain)
    strong = strong * (1 - mine)
    weak = weak * (1 - torch.maximum(mine, strong))
    soon = mine
    my_food, their_food = _eats(mine, food), _eats(torch.maximum(strong, weak), food)
    for turn in range(2, steps + 1):
        free = inside * (leaves < turn + 0.5).to(kind)
        grown = _grow(torch.cat([strong, mine, weak], 1)) * free
        more_strong, more_mine, more_weak = grown.chunk(3, 1)
        strong = torch.maximum(strong, more_strong * (1 - torch.maximum(mine, weak)))
        mine = torch.maximum(mine, more_mine * (1 - torch.maximum(strong, weak)))
        weak = torch.maximum(weak, more_weak * (1 - torch.maximum(strong, mine)))
        my_food = my_food + _eats(mine, food)
        their_food = their_food + _eats(torch.maximum(strong, weak), food)
        soon = mine if turn == SOON else soon
    shape = (-1, 4, REPLIES)
    cells, others = mine.sum((2, 3)), strong.sum((2, 3)) + weak.sum((2, 3))
    length = board[:, _MY_BODY].amax((1, 2))[:, None] * 32
    near_length = (near[:, 0] * board[:, _LENGTHS]).amax((1, 2))[:, None] * 32
    area = board.shape[2] * board.shape[3]
    told = [
        cells / area,
        others / area,
        soon.sum((2, 3)) / 32,
        (cells / length.clamp(min=1)).clamp(max=1),
        (others / near_length.clamp(min=1)).clamp(max=1),
        my_food / steps,
        their_food / steps,
    ]
    return torch.stack([valid, *(numbers.reshape(shape) * valid for numbers in told)], 3)


def _eats(cells: Tensor, food: Tensor) -> Tensor:
    return (cells * food).amax((2, 3))


# The compiled form. A bitboard is two words of 64 bits, cell `y * 11 + x`; places beyond cell 120 are never free.
_ONE: Final = np.uint64(1)
_LOW: Final = np.uint64(53)
_LINE: Final = np.uint64(FRAME)
_LAST: Final = np.uint64(63)


def _column(column: int, word: int) -> np.uint64:
    cells = (y * FRAME + column for y in range(FRAME))
    return np.uint64(sum(1 << (cell - 64 * word) for cell in cells if 64 * word <= cell < 64 * word + 64))


_NOT_LEFT: Final = (~_column(0, 0), ~_column(0, 1))
_NOT_RIGHT: Final = (~_column(FRAME - 1, 0), ~_column(FRAME - 1, 1))

Words = NDArray[np.uint64]
_FREE: Final = 0
"""Rows of the compiled form's memory: cells free after t turns at _FREE + t, then these sets."""
_SET: Final = _MOST_STEPS + 1
_HEAD, _S, _W, _F, _NEAR = (_SET + index for index in range(5))
_MEMORY: Final = _SET + 5


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
    return count_bits(low) + count_bits(high)


@compiled
def _flood(
    memory: Words, mine: Any, mine_high: Any, strong: Any, strong_high: Any, weak: Any, weak_high: Any, steps: int,
    told: NDArray[np.float32],
) -> None:  # fmt: skip
    """Spread everyone from where they are after one turn; write my cells, others', soon, and the turns of food."""
    food, food_high = memory[_F, 0], memory[_F, 1]
    soon = _count(mine, mine_high)
    eats, their = 0, 0
    for turn in range(1, steps + 1):
        if turn > 1:
            free, free_high = memory[_FREE + turn, 0], memory[_FREE + turn, 1]
            wide, wide_high = _wider(strong, strong_high)
            more, more_high = _wider(mine, mine_high)
            third, third_high = _wider(weak, weak_high)
            strong |= wide & free & ~(mine | weak)
            strong_high |= wide_high & free_high & ~(mine_high | weak_high)
            mine |= more & free & ~(strong | weak)
            mine_high |= more_high & free_high & ~(strong_high | weak_high)
            weak |= third & free & ~(strong | mine)
            weak_high |= third_high & free_high & ~(strong_high | mine_high)
            if turn == SOON:
                soon = _count(mine, mine_high)
        eats += ((mine & food) | (mine_high & food_high)) != 0
        their += (((strong | weak) & food) | ((strong_high | weak_high) & food_high)) != 0
    told[1] = _count(mine, mine_high)
    told[2] = _count(strong | weak, strong_high | weak_high)
    told[3] = soon
    told[6] = eats
    told[7] = their


@compiled
def _picture(board: NDArray[np.float32], steps: int, memory: Words) -> Any:  # noqa: PLR0912 - a bitboard per plane
    """Fill the memory from one row's planes; return my length and the nearest opponent's."""
    memory[:] = np.uint64(0)
    length, head_row, head_column, least = 0, 0, 0, 1000
    for row in range(FRAME):
        for column in range(FRAME):
            if board[_MY_HEAD, row, column] > 0:
                head_row, head_column = row, column
    for row in range(FRAME):
        for column in range(FRAME):
            if board[_STRONG, row, column] > 0 or board[_WEAK, row, column] > 0:
                least = min(least, abs(row - head_row) + abs(column - head_column))
    near_length = 0
    for row in range(FRAME):
        for column in range(FRAME):
            cell = row * FRAME + column
            word, bit = cell >> 6, _ONE << np.uint64(cell & 63)
            mine = int(board[_MY_BODY, row, column] * 32 + np.float32(0.5))
            length = max(length, mine)
            leaves = max(mine, int(board[_BODIES, row, column] * 32 + np.float32(0.5)))
            if board[0, row, column] > 0 and leaves <= steps:
                memory[_FREE + max(leaves, 1), word] |= bit
            if board[_MY_HEAD, row, column] > 0:
                memory[_HEAD, word] |= bit
            if board[_FOOD, row, column] > 0:
                memory[_F, word] |= bit
            if board[_STRONG, row, column] > 0:
                memory[_S, word] |= bit
            if board[_WEAK, row, column] > 0:
                memory[_W, word] |= bit
            other = board[_STRONG, row, column] > 0 or board[_WEAK, row, column] > 0
            if other and abs(row - head_row) + abs(column - head_column) == least:
                memory[_NEAR, word] |= bit
                near_length = max(near_length, int(board[_LENGTHS, row, column] * 32 + np.float32(0.5)))
    for turn in range(2, steps + 1):
        memory[_FREE + turn, 0] |= memory[_FREE + turn - 1, 0]
        memory[_FREE + turn, 1] |= memory[_FREE + turn - 1, 1]
    return length, near_length


@inlined
def _reply(memory: Words, heads: int, way: int) -> Any:
    """Where a side stands after one turn: its nearest ones moved `way`, its others anywhere; way 4: all anywhere."""
    low, high = memory[heads, 0], memory[heads, 1]
    near_low, near_high = low & memory[_NEAR, 0], high & memory[_NEAR, 1]
    if way == 4:
        low, high = _wider(low, high)
    else:
        low, high = _wider(low & ~near_low, high & ~near_high)
        near_low, near_high = _step(near_low, near_high, way)
        low, high = low | near_low, high | near_high
    return low & memory[_FREE + 1, 0], high & memory[_FREE + 1, 1]


@compiled
def _survey_one(memory: Words, steps: int, length: int, near_length: int, told: NDArray[np.float32]) -> None:
    free, free_high = memory[_FREE + 1, 0], memory[_FREE + 1, 1]
    for way in range(4):
        start, start_high = _step(memory[_HEAD, 0], memory[_HEAD, 1], way)
        start, start_high = start & free, start_high & free_high
        if (start | start_high) == 0:
            continue
        for reply in range(REPLIES):
            near, near_high = _step(memory[_NEAR, 0], memory[_NEAR, 1], reply)
            if reply < 4 and ((near & free) | (near_high & free_high)) == 0:
                continue
            strong, strong_high = _reply(memory, _S, reply)
            weak, weak_high = _reply(memory, _W, reply)
            mine, mine_high = start, start_high
            if reply < 4:
                mine, mine_high = mine & ~strong, mine_high & ~strong_high
            strong, strong_high = strong & ~mine, strong_high & ~mine_high
            weak, weak_high = weak & ~(mine | strong), weak_high & ~(mine_high | strong_high)
            row = told[way, reply]
            _flood(memory, mine, mine_high, strong, strong_high, weak, weak_high, steps, row)
            row[0] = 1
            row[4] = min(row[1] / max(length, 1), 1)
            row[5] = min(row[2] / max(near_length, 1), 1)
            row[1] /= FRAME * FRAME
            row[2] /= FRAME * FRAME
            row[3] /= 32
            row[6] /= steps
            row[7] /= steps


@compiled
def _survey(boards: NDArray[np.float32], steps: int, memory: Words, told: NDArray[np.float32]) -> None:
    for index in range(boards.shape[0]):
        length, near_length = _picture(boards[index], steps, memory)
        _survey_one(memory, steps, length, near_length, told[index])
