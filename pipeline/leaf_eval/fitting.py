"""Fits a network to outcomes and search values: Adam on the cross-entropy, in compiled loops, no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pipeline.engine.compile_cache import compiled
from pipeline.leaf_eval.dataset import ShownPositions
from pipeline.leaf_eval.network import (
    ACTIVATION_ONE,
    LANES,
    POINT_SHIFT,
    ROW_LIMIT,
    LeafNetwork,
    Legend,
    rows_of,
)

_POINTS: Final = ACTIVATION_ONE / 2**POINT_SHIFT
"""What 1 of an output weight is worth with its lane at one, in points."""
_STRAIGHT: Final = 1024
"""Output weight of the lane that is passed on as it is."""
_KEEP: Final = 0.9, 0.999
"""Adam's averages (Kingma and Ba 2015)."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit. `outcome_share`, 0..1: how much of the target is the game's outcome, the rest the search's value."""

    hand_share: float = 1.0
    duel_share: float = 0.5
    crowd_share: float = 0.0
    """By how much the fitted networks are shrunk when they are written; 0: that one stays silent. Games decided the
    defaults: whole networks lost games that half of one wins, and among four snakes both lost."""
    outcome_share: float = 0.0
    epochs: int = 6
    batch: int = 4096
    rate: float = 0.003
    decay: float = 1.0
    """Of the table per unit of the learning rate: rows that few positions show stay near zero."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Scale:
    """The chance to win is the sigmoid of points / `temperature` + the offset of so many living snakes."""

    temperature: float
    offsets: NDArray[np.float64]

    def logits(self, points: NDArray[np.float32], living: NDArray[np.int32]) -> NDArray[np.float64]:
        """The logits of values in points, float64[N]."""
        return points / self.temperature + self.offsets[living]


def scale_of(positions: ShownPositions) -> Scale:
    """Fit the chances that the snake's own evaluation stands for, to the games played."""
    positions = positions.played
    own, outcome = positions.own.astype(np.float64) / 100, positions.outcome.astype(np.float64)
    counts = np.unique(positions.living)
    columns = (positions.living[:, None] == counts).astype(np.float64)

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = x[0] * own + columns @ x[1:]
        slope = _sigmoid(logits) - outcome
        cost = float(np.mean(np.logaddexp(0, logits) - outcome * logits))
        return cost, np.concatenate([[np.mean(slope * own)], slope @ columns / len(own)])

    found = minimize(loss, np.concatenate([[0.3], np.zeros(len(counts))]), jac=True, method="L-BFGS-B").x
    offsets = np.zeros(int(counts.max()) + 1)
    offsets[counts] = found[1:]
    return Scale(100 / max(float(found[0]), 1e-3), offsets)


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)))


@compiled
def _step(
    rows: Any, base: Any, target: Any, chosen: Any, scale: float, table: Any, bias: Any, output: Any,
    table_slope: Any, bias_slope: Any, output_slope: Any,
) -> float:  # fmt: skip
    """Add up the slopes of a batch's mean cross-entropy; return its sum. All float32; rows int32[N, F]."""
    lanes = np.int64(LANES)
    total = 0.0
    for n in range(chosen.shape[0]):
        at = chosen[n]
        points = 0.0
        for lane in range(lanes):
            lane_sum = bias[lane]
            for k in range(rows.shape[1]):
                lane_sum += table[rows[at, k], lane]
            if lane < lanes - 1:
                lane_sum = min(max(lane_sum, np.float32(0.0)), np.float32(1.0))
            points += lane_sum * output[lane]
            output_slope[lanes + lane] = lane_sum
        logit = base[at] + points * scale
        chance = 1.0 / (1.0 + np.exp(-logit))
        total += max(logit, 0.0) - logit * target[at] + np.log(1.0 + np.exp(-abs(logit)))
        slope = (chance - target[at]) * scale / chosen.shape[0]
        for lane in range(lanes):
            lane_sum = output_slope[lanes + lane]
            output_slope[lane] += slope * lane_sum
            if lane == lanes - 1 or 0.0 < lane_sum < 1.0:
                through = slope * output[lane]
                bias_slope[lane] += through
                for k in range(rows.shape[1]):
                    table_slope[rows[at, k], lane] += through
    return total


class _Adam:
    """Adam on one array, with decay towards zero apart from the slope (AdamW)."""

    def __init__(self, values: NDArray[np.float32], decay: float, unit: float) -> None:
        self.values, self._decay, self._unit = values, decay, unit
        self.slope = np.zeros_like(values)
        self._mean, self._square = np.zeros_like(values), np.zeros_like(values)

    def step(self, rate: float, count: int) -> None:
        self._mean += (1 - _KEEP[0]) * (self.slope - self._mean)
        self._square += (1 - _KEEP[1]) * (self.slope**2 - self._square)
        mean, square = self._mean / (1 - _KEEP[0] ** count), self._square / (1 - _KEEP[1] ** count)
        self.values -= (rate * self._unit * (mean / (np.sqrt(square) + 1e-9) + self._decay * self.values)).astype(
            np.float32
        )
        self.slope[...] = 0


def fit(
    positions: ShownPositions,
    legend: Legend,
    scale: Scale,
    settings: FitSettings,
    share: float,
    tell: Callable[[str], None],
) -> LeafNetwork:
    """Fit a network that, added to `hand_share` of the snake's own evaluation, foretells the target.

    The target mixes the outcome with the chance that the search's value stands for; positions where no search was made,
    because only one move was open, are left out.

    Args:
        share: by how much the fitted network is shrunk at the end.
        tell: gets a line for every epoch.
    """
    positions = positions.where(positions.searched)
    rng = np.random.default_rng(settings.seed)
    rows = rows_of(positions.shown, legend)
    base = scale.logits(settings.hand_share * positions.own, positions.living).astype(np.float32)
    target = targets(positions, scale, settings.outcome_share)
    table = _Adam(rng.normal(0, 0.03, (legend.rows, LANES)).astype(np.float32), settings.decay, 1.0)
    bias = _Adam(np.full(LANES, 0.4, np.float32), 0.0, 1.0)
    first = rng.normal(0, 30, LANES)
    first[-1] = _STRAIGHT * _POINTS
    table.values[:, -1] = 0
    output = _Adam(first.astype(np.float32), 0.0, 100.0)  # points, where the others are parts of one
    slopes = np.zeros(2 * LANES, np.float32)
    batches = max(1, len(rows) // settings.batch)
    for epoch in range(settings.epochs):
        order, total, seen = rng.permutation(len(rows)), 0.0, 0
        for k in range(batches):
            chosen = order[k * settings.batch : (k + 1) * settings.batch]
            total += _step(
                rows, base, target, chosen, 1 / scale.temperature, table.values, bias.values, output.values,
                table.slope, bias.slope, slopes,
            )  # fmt: skip
            seen += len(chosen)
            output.slope[:] = slopes[:LANES]
            output.slope[-1] = 0
            slopes[...] = 0
            count = epoch * batches + k + 1
            rate = settings.rate * 0.5 * (1 + np.cos(np.pi * count / (settings.epochs * batches)))
            for part in (table, bias, output):
                part.step(rate, count)
            np.clip(table.values, -ROW_LIMIT / ACTIVATION_ONE, ROW_LIMIT / ACTIVATION_ONE, out=table.values)
        tell(f"epoch {epoch + 1} of {settings.epochs}: cross-entropy {total / seen:.4f}")
    return quantised(table.values, bias.values, share * output.values)


def targets(positions: ShownPositions, scale: Scale, outcome_share: float) -> NDArray[np.float32]:
    """What is to be foretold, float32[N] in 0..1."""
    searched = _sigmoid(scale.logits(positions.value, positions.living))
    share = np.where(positions.outcome < 0, 0.0, outcome_share)
    return (share * positions.outcome + (1 - share) * searched).astype(np.float32)


def quantised(table: NDArray[np.float32], bias: NDArray[np.float32], output: NDArray[np.float32]) -> LeafNetwork:
    """The network in whole numbers."""
    most = np.iinfo(np.int16).max
    return LeafNetwork(
        np.rint(table * ACTIVATION_ONE).clip(-ROW_LIMIT, ROW_LIMIT).astype(np.int16),
        np.rint(bias * ACTIVATION_ONE).clip(-most, most).astype(np.int16),
        np.rint(output / _POINTS).clip(-most, most).astype(np.int16),
    )
