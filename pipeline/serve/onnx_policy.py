"""A model file as a player of the arena."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.observe import Observations
from pipeline.serve.onnx_model import OnnxModel, best_moves


class OnnxPolicy:
    """Plays the allowed move of the highest logit, as the servers do; the chance numbers are not asked."""

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
        return best_moves(self._model.look(observations).policy_logits, masks)
