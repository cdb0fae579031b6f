"""What the territory features are, and their form of ordinary operations on tensors, which can be exported.

`territory_features.py` says what they are for, and holds the compiled form of the same numbers.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.engine.planes import CHANNELS

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
NUMBERS: Final = len(ABOUT)
MINE: Final = 16
"""Pairs of my moves, 4 * first + second."""
REPLIES: Final = 17
"""Pairs of the nearest opponent's moves, then: everywhere."""
SOON: Final = 5
GROUND_TENSORS: Final = ("ground1_told", "ground1_mine", "ground1_replies")
"""What an exported model calls the three tensors of `TerritoryFeatures`. The Rust server looks for these names,
computes the tensors itself on bitboards and leaves out what leads to them: other numbers in them need another digit,
there too."""
FOOD, MY_BODY, BODIES, MY_HEAD = (CHANNELS.index(name) for name in ("food", "my_body", "other_bodies", "my_head"))
STRONG, WEAK, LENGTHS = (CHANNELS.index(name) for name in ("stronger_heads", "weaker_heads", "other_lengths"))
MOST_STEPS: Final = 64


class TerritoryFeatures(NamedTuple):
    """told float32[N, MINE, REPLIES, NUMBERS], 0 where one of the pairs is not open; mine [N, MINE] and replies
    [N, REPLIES]: 1 where both moves of the pair are open."""

    told: Tensor
    mine: Tensor
    replies: Tensor


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
    """`territory_features` of boards float32[N, 12, H, W] in ordinary operations, for any frame and device."""
    kind = board.dtype
    inside = (board[:, :1] > 0).to(kind)
    leaves = torch.maximum(board[:, MY_BODY : MY_BODY + 1], board[:, BODIES : BODIES + 1]) * 32
    free = [inside * (leaves < turn + 0.5).to(kind) for turn in range(steps + 1)]
    head, strong, weak = ((board[:, plane : plane + 1] > 0).to(kind) for plane in (MY_HEAD, STRONG, WEAK))
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
    """Return all but the first number of `ABOUT` from when who is where, [N, MINE, REPLIES, NUMBERS - 1]."""
    kind, area = board.dtype, board.shape[2] * board.shape[3]
    me = mine.flatten(2)[:, :, None]
    strong, weak = (arrival.flatten(2)[:, None] for arrival in arrivals)
    own = ((me < strong) & (me <= weak) & (me <= steps)).to(kind)
    other = torch.minimum(strong, weak)
    lost = (1 - own) * (other <= steps).to(kind)
    food = (board[:, FOOD] > 0).to(kind).flatten(1)[:, None, None]
    cells, others = own.sum(3), lost.sum(3)
    length = board[:, MY_BODY].amax((1, 2))[:, None, None] * 32
    near_length = (near[:, 0] * board[:, LENGTHS]).amax((1, 2))[:, None, None] * 32
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
