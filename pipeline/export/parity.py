"""Whether a model file says what its network says, on real positions."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from pipeline.engine.observe import Observations
from pipeline.export.real_positions import real_positions
from pipeline.serve.onnx_model import Evaluated, OnnxModel, to_floats
from schemas.errors import ExportError

POSITIONS: Final = 10_000
MOST_ERROR: Final = 1e-5
SEED: Final = 20_260
_BATCH: Final = 256
_SINGLES: Final = 256


@dataclass(frozen=True)
class Parity:
    """The largest absolute differences between torch and onnxruntime."""

    positions: int
    logits_error: float
    """Relative to the position's largest logit where that is above 1: a float32 keeps seven digits, and a trained
    policy's logits reach hundreds, whose last digit alone is worth more than 1e-5."""
    value_error: float
    batch_error: float
    """Largest difference, on either output, between a position evaluated alone and in its batch, by onnxruntime."""
    largest_logit: float
    same_moves: float
    """Share of positions whose highest logit is the same move's."""


def check_parity(
    network: torch.nn.Module,
    path: Path,
    *,
    positions: int = POSITIONS,
    most_error: float = MOST_ERROR,
    seed: int = SEED,
) -> Parity:
    """Compare a network with its file on real positions, in batches of 256 and one by one (256 of them).

    Raises:
        ExportError: a difference (of logits: relative, see `Parity`) is greater than `most_error`, or no number.
        ModelError: the file does not keep the contract.
    """
    model = OnnxModel(path)
    reference = copy.deepcopy(network).cpu().float().eval()
    rows = real_positions(positions, seed)
    logits_error = value_error = batch_error = largest = 0.0
    same = 0
    for first in range(0, positions, _BATCH):
        part = Observations(*(array[first : first + _BATCH] for array in rows))
        theirs, ours = _torch_says(reference, part), model.look(part)
        logits_error = max(logits_error, _relative(theirs.policy_logits, ours.policy_logits))
        value_error = max(value_error, _difference(theirs.value, ours.value))
        largest = max(largest, float(np.abs(theirs.policy_logits).max()))
        same += int((theirs.policy_logits.argmax(1) == ours.policy_logits.argmax(1)).sum())
        if first == 0:
            batch_error = _single_difference(model, part, ours)
    found = Parity(positions, logits_error, value_error, batch_error, largest, same / positions)
    _refuse_beyond(found, most_error, path)
    return found


def _torch_says(network: torch.nn.Module, rows: Observations) -> Evaluated:
    with torch.no_grad():
        logits, value = network(*(torch.from_numpy(array) for array in to_floats(rows)))
    return Evaluated(logits.numpy(), value.numpy())


def _single_difference(model: OnnxModel, rows: Observations, together: Evaluated) -> float:
    worst = 0.0
    for index in range(min(_SINGLES, len(rows.planes))):
        alone = model.look(Observations(*(array[index : index + 1] for array in rows)))
        logits = _relative(alone.policy_logits, together.policy_logits[index : index + 1])
        worst = max(worst, logits, _difference(alone.value[0], together.value[index]))
    return worst


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of rows of logits [M, 4], each by its row's largest where that is above 1."""
    scale = np.maximum(np.abs(a.astype(np.float64)).max(1, keepdims=True), 1.0)
    return _difference(a / scale, b / scale)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    worst = float(np.abs(a.astype(np.float64) - b).max())
    return worst if np.isfinite(worst) else float("inf")


def _refuse_beyond(found: Parity, most_error: float, path: Path) -> None:
    worst = max(found.logits_error, found.value_error, found.batch_error)
    if worst > most_error:
        raise ExportError(
            f"the file and its network differ by {worst:.2e} (logits {found.logits_error:.2e}, value"
            f" {found.value_error:.2e}, alone or in a batch {found.batch_error:.2e}); the limit is {most_error:.0e}"
            f" on {found.positions} positions, the largest logit is {found.largest_logit:.1f}",
            where=str(path),
            remedy="Nothing of it was put into production. Was the network changed after the export?",
        )
