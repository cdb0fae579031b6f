"""Observations as the tensors that networks take."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.engine.planes import CONTEXT_SCALES, FEATURE_SCALES, PLANE_SCALES

Bytes = NDArray[np.uint8]


class Floats(NamedTuple):
    """The inputs of a network, in its order: board_state [N, 12, H, W], snake_features [N, 32], game_context [N, 16],
    float32. The board's channels lie last in memory, which convolutions on a CPU like best."""

    board_state: Tensor
    snake_features: Tensor
    game_context: Tensor


def to_floats(planes: Bytes, features: Bytes, context: Bytes, device: torch.device | str = "cpu") -> Floats:
    """Scale uint8 rows (planes [M, 12, H, W], features [M, 32], context [M, 16]) by the encoder's table.

    Each number is the byte times its slot's scale, one float32 product: the same bits as the engine's float form.
    """
    board = torch.from_numpy(planes).to(device).contiguous(memory_format=torch.channels_last)
    scaled = board.float() * torch.from_numpy(PLANE_SCALES).to(device)[None, :, None, None]
    return Floats(
        scaled,
        torch.from_numpy(features).to(device).float() * torch.from_numpy(FEATURE_SCALES).to(device),
        torch.from_numpy(context).to(device).float() * torch.from_numpy(CONTEXT_SCALES).to(device),
    )
