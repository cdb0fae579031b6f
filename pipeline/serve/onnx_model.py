"""A model file as a function from observations to logits and values."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.encode import scale_rows
from pipeline.engine.observe import Observations
from pipeline.engine.planes import CONTEXT_SCALES, FEATURE_SCALES, PLANE_SCALES
from pipeline.serve.contract import INPUTS, check_contract, quick_session
from schemas.exported_model import ExportedModel

Floats = NDArray[np.float32]
_ROWS: Final = 64


class Evaluated(NamedTuple):
    """What a model says of M positions: policy_logits float32[M, 4] (no move masked) and value float32[M, 1]."""

    policy_logits: Floats
    value: Floats


def to_floats(rows: Observations) -> tuple[Floats, Floats, Floats]:
    """Return the float form of uint8 observations: each byte times its slot's scale, as the encoder's table says."""
    count = len(rows.planes)
    planes = np.empty(rows.planes.shape, np.float32)
    flat = (count, rows.planes.shape[1], -1)
    scale_rows(rows.planes.reshape(flat), PLANE_SCALES, planes.reshape(flat))
    return planes, rows.features * FEATURE_SCALES, rows.context * CONTEXT_SCALES


class OnnxModel:
    """A model file, checked against the contract, on one thread of onnxruntime. Safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            ModelError: as `contract.read_contract`.
        """
        self._session: Final = quick_session(path)
        self.path: Final = path
        self.contract: Final[ExportedModel] = check_contract(self._session, path)

    def evaluate(self, planes: Floats, features: Floats, context: Floats) -> Evaluated:
        """Return what the model says of M positions in float form: [M, 12, 11, 11], [M, 32], [M, 16]."""
        names = (tensor.name for tensor in INPUTS)
        logits, value = self._session.run(None, dict(zip(names, (planes, features, context), strict=True)))
        return Evaluated(logits, value)

    def look(self, rows: Observations) -> Evaluated:
        """The same for uint8 observations."""
        return self.evaluate(*to_floats(rows))


def best_moves(logits: Floats, masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return uint8[M]: of each row's allowed moves the one of the highest logit, the first of equals."""
    best: NDArray[np.uint8] = np.where(masks, logits, -np.inf).argmax(1).astype(np.uint8)
    return best


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
