"""What every environment shows of a snake and lets it do: spaces, and observations taken from an observer's rows."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pipeline.engine.observe import Observations
from pipeline.engine.planes import CONTEXT, FEATURES, PLANES
from pipeline.environment.vector import OPEN_FEATURE

Observation = dict[str, NDArray[np.uint8]]


def observation_space(frame: int) -> spaces.Dict:
    """Return the space of one snake's view: `board_state`, `snake_features`, `game_context` (see `planes.py`)."""
    return spaces.Dict(
        {
            "board_state": spaces.Box(0, 255, (len(PLANES), frame, frame), np.uint8),
            "snake_features": spaces.Box(0, 255, (len(FEATURES),), np.uint8),
            "game_context": spaces.Box(0, 255, (len(CONTEXT),), np.uint8),
        }
    )


def view(rows: Observations, which: Any) -> Observation:
    """Return a copy of the rows `which` (an index, or a slice for many) in the form of the space."""
    return {
        "board_state": rows.planes[which].copy(),
        "snake_features": rows.features[which].copy(),
        "game_context": rows.context[which].copy(),
    }


def action_masks(rows: Observations) -> NDArray[np.int8]:
    """Return int8[rows, 4]: 1 for moves that neither wall nor staying body forbids, all 1 where there is none."""
    open_moves = rows.features[:, OPEN_FEATURE : OPEN_FEATURE + 4] > 0
    return (open_moves | ~open_moves.any(1, keepdims=True)).astype(np.int8)
