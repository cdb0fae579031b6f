"""Whose ground is it, after each of my next two moves and two replies? Fixed layers of a network, nothing learned.

Who is trapped two turns from now decides games and is what convolutions learn slowest: the `strong` player that looks
one turn less ahead wins 19 % against itself. So it is not learned, but told, in the spirit of Tamar et al. 2016 ("Value
iteration networks": an algorithm in the network, learned layers around it). For each pair of my moves, and each pair of
moves of the nearest opponent (or of all that are equally near), everyone then spreads over the board at once, a cell
per turn, through cells that bodies have left by then; other opponents go everywhere from the start, and in a last
column the nearest does, too. A cell is mine if I am there before every snake that I lose or tie against, and not after
one that I beat.

What is told of each pair of pairs stands in `ABOUT`. Two forms give the same numbers: one of ordinary operations on
tensors, which can be exported, and a compiled one on bitboards for 11x11 frames on the CPU, which training uses.
Neither carries a gradient. Edges that wrap are taken for walls, and hazards for free cells.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.planes import CHANNELS, FRAME
from pipeline.engine.players.bits import count_bits

ABOUT: Final = (
    "-1 if I run into a head or body that beats me, 1 if the opponent does; with -1 all other numbers are 0",
    "my cells, of the frame's",
    "the others' cells, of the frame's",
    "my cells within 5 turns, 32nds",
    "my cells by my length, at most 1",
    "the others' cells by the nearest one's length, at most 1",
    "how soon I reach food first, 1 at once, 0 not at all",
    "how soon another does",
)
TOLD: Final = len(ABOUT)
MINE: Final = 16
"""Pairs of my moves, 4 * first + second."""
REPLIES: Final = 17
"""Pairs of the nearest opponent's moves, then: everywhere."""
SOON: Final = 5
GROUND_TENSORS: Final = ("ground1_told", "ground1_mine", "ground1_replies")
"""What an exported model calls the three tensors of `TerritoryFeatures`. The Rust server looks for these names,
computes the tensors itself on bitboards and leaves out what leads to them: other numbers in them need another digit,
there too."""
_FOOD, _MY_BODY, _BODIES, _MY_HEAD = (CHANNELS.index(name) for name in ("food", "my_body", "other_bodies", "my_head"))
_STRONG, _WEAK, _LENGTHS = (CHANNELS.index(name) for name in ("stronger_heads", "weaker_heads", "other_lengths"))
_MOST_STEPS: Final = 64


class TerritoryFeatures(NamedTuple):
    """told float32[N, MINE, REPLIES, TOLD], 0 where one of the pairs is not open; mine [N, MINE] and replies
    [N, REPLIES]: 1 where both moves of the pair are open."""

    told: Tensor
    mine: Tensor
    replies: Tensor


def territory_features(board: Tensor, steps: int) -> TerritoryFeatures:
    """Return what is told of boards float32[N, 12, H, W] (scaled planes), flooding `steps` (at least 2) turns."""
    with torch.no_grad():
        if board.device.type != "cpu" or board.shape[2] != FRAME or torch.compiler.is_exporting():
            return territory_features_by_tensors(board, steps)
        rows = board.shape[0]
        told = np.zeros((rows, MINE, REPLIES, TOLD), np.float32)
        mine, replies = np.zeros((rows, MINE), np.float32), np.zeros((rows, REPLIES), np.float32)
        _survey(board.detach().numpy(), steps, np.zeros((_MEMORY, 2), np.uint64), told, mine, replies)
        return TerritoryFeatures(torch.from_numpy(told), torch.from_numpy(mine), torch.from_numpy(replies))


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


class _Side(NamedTuple):
    """One side's pairs of moves: first and second cells, and when each cell is reached (steps + 1: never)."""

    first: Tensor
    second: Tensor
    arrival: Tensor


def _ways(cells: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, 4 * C, H, W]: each set moved each way, the way changing fastest."""
    moved = torch.stack([_shift(cells, way) for way in range(4)], 2)
    return moved.flatten(1, 2)


def _spread(heads: Tensor, rest: Tensor, free: list[Tensor]) -> _Side:
    """Let `heads` make each pair of moves and spread from there; `rest` spreads from the start. [N, 16, H, W] each."""
    once = _ways(heads) * free[1]
    first = once.repeat_interleave(4, 1)
    second = _ways(once) * free[2]
    first = first * second.amax((2, 3), keepdim=True)
    barred = 1 - first
    reached = _grow(rest) * free[1] * barred
    arrival = 1 + (1 - torch.maximum(reached, first))
    for turn in range(2, len(free)):
        reached = torch.maximum(reached, _grow(reached) * free[turn] * barred)
        if turn == 2:
            reached = torch.maximum(reached, second * barred)
        arrival = arrival + (1 - torch.maximum(reached, first))
    return _Side(first, second, arrival)


def _anywhere(heads: Tensor, free: list[Tensor]) -> Tensor:
    """When each cell is reached if all heads go everywhere, [N, 1, H, W]."""
    reached = _grow(heads) * free[1]
    arrival = 1 + (1 - reached)
    for turn in range(2, len(free)):
        reached = torch.maximum(reached, _grow(reached) * free[turn])
        arrival = arrival + (1 - reached)
    return arrival


def _meet(ours: Tensor, theirs: Tensor) -> Tensor:
    """Whether sets [N, 16, H, W] of both sides share a cell, [N, 16, 16]."""
    return ours.flatten(2) @ theirs.flatten(2).transpose(1, 2)


def territory_features_by_tensors(board: Tensor, steps: int) -> TerritoryFeatures:
    """`territory_features` in ordinary operations, for any frame and device."""
    kind = board.dtype
    inside = (board[:, :1] > 0).to(kind)
    leaves = torch.maximum(board[:, _MY_BODY : _MY_BODY + 1], board[:, _BODIES : _BODIES + 1]) * 32
    free = [inside * (leaves < turn + 0.5).to(kind) for turn in range(steps + 1)]
    head, strong, weak = ((board[:, plane : plane + 1] > 0).to(kind) for plane in (_MY_HEAD, _STRONG, _WEAK))
    near = _nearest(torch.maximum(strong, weak), head)
    me = _spread(head, head * 0, free)
    sides = [_spread(heads * near, heads * (1 - near), free) for heads in (strong, weak)]
    arrivals = [
        torch.cat([side.arrival, _anywhere(heads, free)], 1) for side, heads in zip(sides, (strong, weak), strict=True)
    ]
    mine = me.second.amax((2, 3))
    replies = torch.cat([torch.maximum(sides[0].second, sides[1].second).amax((2, 3)), torch.ones_like(mine[:, :1])], 1)
    clash = _clash(me, *sides)
    told = _ground(board, near, me.arrival, arrivals, steps)
    told = torch.cat([clash[..., None], told * (clash >= 0).to(kind)[..., None]], 3)
    return TerritoryFeatures(told * (mine[:, :, None] * replies[:, None])[..., None], mine, replies)


def _clash(me: _Side, strong: _Side, weak: _Side) -> Tensor:
    """Return -1, 0 or 1 for each pair of pairs, [N, MINE, REPLIES]."""
    bad = _meet(me.first, strong.first) + _meet(me.second, strong.second)
    bad = bad + _meet(me.second, torch.maximum(strong.first, weak.first))
    good = _meet(me.first, weak.first) + _meet(me.second, weak.second)
    good = good + _meet(me.first, torch.maximum(strong.second, weak.second))
    bad, good = (bad > 0).to(bad.dtype), (good > 0).to(bad.dtype)
    return functional.pad(good * (1 - bad) - bad, (0, 1))


def _ground(board: Tensor, near: Tensor, mine: Tensor, arrivals: list[Tensor], steps: int) -> Tensor:
    """Return all but the first number of `ABOUT` from when who is where, [N, MINE, REPLIES, TOLD - 1]."""
    kind, area = board.dtype, board.shape[2] * board.shape[3]
    me = mine.flatten(2)[:, :, None]
    strong, weak = (arrival.flatten(2)[:, None] for arrival in arrivals)
    own = ((me < strong) & (me <= weak) & (me <= steps)).to(kind)
    other = torch.minimum(strong, weak)
    lost = (1 - own) * (other <= steps).to(kind)
    food = (board[:, _FOOD] > 0).to(kind).flatten(1)[:, None, None]
    cells, others = own.sum(3), lost.sum(3)
    length = board[:, _MY_BODY].amax((1, 2))[:, None, None] * 32
    near_length = (near[:, 0] * board[:, _LENGTHS]).amax((1, 2))[:, None, None] * 32
    told = [
        cells / area,
        others / area,
        (own * (me <= SOON).to(kind)).sum(3) / 32,
        (cells / length.clamp(min=1)).clamp(max=1),
        (others / near_length.clamp(min=1)).clamp(max=1),
        (own * food * (steps + 1 - me)).amax(3) / steps,
        (lost * food * (steps + 1 - other)).amax(3) / steps,
    ]
    return torch.stack(told, 3)


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
_TURNS: Final = _MOST_STEPS + 1
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
    return count_bits(low) + count_bits(high)


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
def _survey_one(
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
def _survey(
    boards: NDArray[np.float32], steps: int, memory: Words, told: NDArray[np.float32], mine: NDArray[np.float32],
    replies: NDArray[np.float32],
) -> None:  # fmt: skip
    for index in range(boards.shape[0]):
        length, near_length = _picture(boards[index], steps, memory)
        _survey_one(memory, steps, length, near_length, told[index], mine[index], replies[index])
