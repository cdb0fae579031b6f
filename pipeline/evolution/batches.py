"""Batches of stored positions as tensors: rows gathered, turned and mirrored in one compiled pass, scaled to floats."""

from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.data.positions import Positions
from pipeline.engine.compile_cache import compiled
from pipeline.engine.planes import CHANNELS, CONTEXT, CONTEXT_SCALES, FEATURE_SCALES, FEATURES, PLANE_SCALES
from pipeline.engine.symmetry import MOVE_TO, SWAPS_AXES, SYMMETRIES, cell_map
from pipeline.evolution.networks import SURVIVAL_HORIZONS

Bytes = NDArray[np.uint8]
_WAYS: Final = ("up", "down", "left", "right")
_MINE: Final = 1
_BOARD: Final = CHANNELS.index("board")


class EncodedRows(Protocol):
    """Whatever has uint8 planes [M, 12, H, W], features [M, 32] and context [M, 16]: observations, positions."""

    @property
    def planes(self) -> NDArray[Any]:
        """The board."""

    @property
    def features(self) -> NDArray[Any]:
        """The snake."""

    @property
    def context(self) -> NDArray[Any]:
        """The game."""


class Floats(NamedTuple):
    """The inputs of a network, in its order: board_state [N, 12, H, W], snake_features [N, 32], game_context [N, 16],
    float32. The board's channels lie last in memory, which convolutions on a CPU like best."""

    board_state: Tensor
    snake_features: Tensor
    game_context: Tensor


def to_tensors(rows: EncodedRows, device: torch.device | str = "cpu") -> Floats:
    """Scale uint8 rows by the encoder's table.

    Each number is the byte times its slot's scale, one float32 product: the same bits as the engine's float form.
    """
    board = torch.from_numpy(rows.planes).to(device).contiguous(memory_format=torch.channels_last)
    scaled = board.float() * torch.from_numpy(PLANE_SCALES).to(device)[None, :, None, None]
    return Floats(
        scaled,
        torch.from_numpy(rows.features).to(device).float() * torch.from_numpy(FEATURE_SCALES).to(device),
        torch.from_numpy(rows.context).to(device).float() * torch.from_numpy(CONTEXT_SCALES).to(device),
    )


def _feature_map() -> Bytes:
    names = [slot.name for slot in FEATURES]
    maps = np.tile(np.arange(len(names), dtype=np.uint8), (SYMMETRIES, 1))
    for index, name in enumerate(names):
        stem, _, way = name.rpartition("_")
        if stem and way in _WAYS:
            for symmetry in range(SYMMETRIES):
                maps[symmetry, index] = names.index(f"{stem}_{_WAYS[MOVE_TO[symmetry, _WAYS.index(way)]]}")
    return maps


def _context_map() -> Bytes:
    names = [slot.name for slot in CONTEXT]
    maps = np.tile(np.arange(len(names), dtype=np.uint8), (SYMMETRIES, 1))
    width, height = names.index("width"), names.index("height")
    maps[SWAPS_AXES, width], maps[SWAPS_AXES, height] = height, width
    return maps


FEATURE_TO: Final = _feature_map()
"""uint8[8, 32]: a feature's slot -> the slot it comes to when the frame is transformed."""
CONTEXT_TO: Final = _context_map()
"""uint8[8, 16]: the same for the context."""


class Targets(NamedTuple):
    """What the networks are to say about a batch of N rows; all on the device.

    masks bool[N, 4]: legal moves; moves int64[N]; outcome float32[N]; survived float32[N, horizons]: 1 where the snake
    still lives so many turns later, and told float32[N, horizons]: 0 where the game ended before that could be seen;
    territory float32[N, cells]: 1 where the snake will lie; on_board float32[N, cells]; policy_weights, weights
    float32[N]: how much each row counts for the policy and for all else.
    """

    masks: Tensor
    moves: Tensor
    outcome: Tensor
    survived: Tensor
    told: Tensor
    territory: Tensor
    on_board: Tensor
    policy_weights: Tensor
    weights: Tensor


class TrainingBatch(NamedTuple):
    """N rows for a network, and what it is to say about them."""

    inputs: Floats
    targets: Targets


class _Moved(NamedTuple):
    """Transformed rows; `planes` [N, 12, H, W] is a view of an array whose channels lie last."""

    planes: Bytes
    features: Bytes
    context: Bytes
    masks: NDArray[np.bool_]
    moves: NDArray[np.int64]
    territory: Bytes


class BatchReader:
    """Turns rows of `positions` into batches. Rows whose move is not legal teach everything but the policy.

    Args:
        weights: float32[M], how much each position counts; None: all the same.
    """

    def __init__(
        self,
        positions: Positions,
        weights: NDArray[np.float32] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        rows = len(positions.moves)
        self.positions: Final = positions
        self.device: Final = torch.device(device)
        self.weights: Final = np.ones(rows, np.float32) if weights is None else weights.astype(np.float32)
        legal = positions.masks[np.arange(rows), np.minimum(positions.moves, 3)] & (positions.moves < 4)
        self.policy_weights: Final = self.weights * legal
        self._frame: Final = positions.planes.shape[-1]
        self._cells: Final = cell_map(self._frame)
        self._planes: Final = positions.planes.reshape(rows, positions.planes.shape[1], -1)
        self._horizons: Final = np.array(SURVIVAL_HORIZONS, np.int64)

    def __len__(self) -> int:
        return len(self.weights)

    def read(self, rows: NDArray[np.int64], symmetries: Bytes | None = None) -> TrainingBatch:
        """Return these rows, each seen through its symmetry (uint8, 0..7; None: as they are)."""
        moved = self._gather(rows, np.zeros(len(rows), np.uint8) if symmetries is None else symmetries)
        return TrainingBatch(to_tensors(moved, self.device), self._targets(rows, moved))

    def _gather(self, rows: NDArray[np.int64], symmetries: Bytes) -> _Moved:
        known, count, side = self.positions, len(rows), self._frame
        board = np.empty((count, side * side, self._planes.shape[1]), np.uint8)
        moved = _Moved(
            board.reshape(count, side, side, -1).transpose(0, 3, 1, 2),
            np.empty((count, known.features.shape[1]), np.uint8),
            np.empty((count, known.context.shape[1]), np.uint8),
            np.empty((count, 4), np.bool_),
            np.empty(count, np.int64),
            np.empty((count, side * side), np.uint8),
        )
        _transform(
            self._planes, known.features, known.context, known.masks, known.moves, known.territory,
            rows, symmetries, self._cells, FEATURE_TO, CONTEXT_TO, MOVE_TO, board, *moved[1:],
        )  # fmt: skip
        return moved

    def _targets(self, rows: NDArray[np.int64], moved: _Moved) -> Targets:
        known = self.positions
        lived, died = known.survived[rows, None].astype(np.int64), known.died[rows, None]
        # The turn a snake dies on counts as lived through: after exactly that many turns it is dead.
        survived = np.where(died, lived > self._horizons, lived >= self._horizons)
        arrays = (
            moved.masks,
            moved.moves,
            known.outcome[rows],
            survived.astype(np.float32),
            (survived | died).astype(np.float32),
            (moved.territory == _MINE).astype(np.float32),
            (moved.planes[:, _BOARD] > 0).reshape(len(rows), -1).astype(np.float32),
            self.policy_weights[rows],
            self.weights[rows],
        )
        return Targets(*(torch.from_numpy(array).to(self.device) for array in arrays))


@compiled
def _transform(
    planes: Bytes,
    features: Bytes,
    context: Bytes,
    masks: NDArray[np.bool_],
    moves: Bytes,
    territory: Bytes,
    rows: NDArray[np.int64],
    symmetries: Bytes,
    cell_to: NDArray[np.int16],
    feature_to: Bytes,
    context_to: Bytes,
    move_to: Bytes,
    out_board: Bytes,
    out_features: Bytes,
    out_context: Bytes,
    out_masks: NDArray[np.bool_],
    out_moves: NDArray[np.int64],
    out_territory: Bytes,
) -> None:
    """Write row `rows[i]`, seen through `symmetries[i]`, as row i of each output."""
    channels, cells = planes.shape[1], planes.shape[2]
    for i in range(len(rows)):
        row, symmetry = rows[i], symmetries[i]
        for cell in range(cells):
            there = cell_to[symmetry, cell]
            out_territory[i, there] = territory[row, cell]
            for channel in range(channels):
                out_board[i, there, channel] = planes[row, channel, cell]
        for slot in range(features.shape[1]):
            out_features[i, feature_to[symmetry, slot]] = features[row, slot]
        for slot in range(context.shape[1]):
            out_context[i, context_to[symmetry, slot]] = context[row, slot]
        for move in range(4):
            out_masks[i, move_to[symmetry, move]] = masks[row, move]
        out_moves[i] = move_to[symmetry, min(moves[row], 3)]
