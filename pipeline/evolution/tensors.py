"""Observations as the tensors that networks take."""

from typing import Any, NamedTuple, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.engine.planes import CONTEXT_SCALES, FEATURE_SCALES, PLANE_SCALES


class Rows(Protocol):
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


def to_floats(rows: Rows, device: torch.device | str = "cpu") -> Floats:
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
