"""How well a leaf evaluation foretells held-out games, beside the snake's own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.leaf_eval.dataset import Positions
from pipeline.leaf_eval.fitting import Scale, targets
from pipeline.leaf_eval.network import POINT_SHIFT, Legend, Network, rows_of


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one evaluation on held-out positions: correlation of its chance to win with the outcome, and cross-entropy."""

    positions: int
    correlation: float
    cross_entropy: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The snake's own evaluation, and that with the network."""

    own: Measured
    learned: Measured


def compare(held_out: Positions, legend: Legend, network: Network, hand_share: float, scale: Scale) -> Comparison:
    """Measure both on positions of games that nothing was fitted to."""
    held_out = held_out.played
    learned = hand_share * held_out.own + network.evaluate(rows_of(held_out.shown, legend)) / 2**POINT_SHIFT
    return Comparison(_measured(held_out.own, held_out, scale), _measured(learned.astype(np.float32), held_out, scale))


def _measured(points: NDArray[np.float32], held_out: Positions, scale: Scale) -> Measured:
    logits = scale.logits(points, held_out.living)
    outcome = targets(held_out, scale, 1.0)
    chances = 1 / (1 + np.exp(-logits.clip(-60, 60)))
    together = float(np.corrcoef(chances, outcome)[0, 1]) if len(points) > 1 and np.ptp(outcome) else 0.0
    return Measured(len(points), together, float(np.mean(np.logaddexp(0, logits) - outcome * logits)))
