"""A model file as a player of the arena."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.observe import Observations
from pipeline.serve.onnx_model import OnnxModel, best_moves

_ROWS: Final = 64


class OnnxPolicy:
    """Plays the allowed move of the highest logit, as the servers do; the chance numbers are not asked.

    Rows go through the model in batches of one fixed size, the last one filled up with zero rows, so that a row's move
    does not depend on how many others are asked for with it.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        """Load the file; it is called by its model id unless given a name.

        Raises:
            ModelError: as `contract.read_contract`.
        """
        self._model = OnnxModel(path)
        self.name = name or f"model:{self._model.contract.model_id}"

    def choose(
        self, observations: Observations, masks: NDArray[np.bool_], draws: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return uint8[M], one move per row of uint8 observations."""
        count = len(masks)
        logits = np.empty((count, 4), np.float32)
        for first in range(0, count, _ROWS):
            part = Observations(*(_filled(array[first : first + _ROWS]) for array in observations))
            logits[first : first + _ROWS] = self._model.look(part).policy_logits[: count - first]
        return best_moves(logits, masks)


def _filled(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if len(rows) == _ROWS:
        return np.ascontiguousarray(rows)
    full = np.zeros((_ROWS, *rows.shape[1:]), np.uint8)
    full[: len(rows)] = rows
    return full
