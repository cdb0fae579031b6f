"""From positions to an evaluation: both networks fitted, and both measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.leaf_eval.dataset import Dataset, ShownPositions
from pipeline.leaf_eval.fitting import FitSettings, Scale, fit, scale_of, targets
from pipeline.leaf_eval.network import POINT_SHIFT, LeafEval, LeafNetwork, Legend, rows_of, silent_network
from schemas.errors import DataError

SIDE: Final = 11
"""The board of the stored games."""
_LEAST_POSITIONS: Final = 1000
_DUEL, _CROWD = "duels", "more than two snakes"


@dataclass(frozen=True, slots=True)
class LeafMeasure:
    """Of one evaluation on held-out positions: correlation of its chance to win with the outcome, and cross-entropy."""

    positions: int
    correlation: float
    cross_entropy: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The snake's own evaluation, and that with the network."""

    own: LeafMeasure
    learned: LeafMeasure


def compare(
    held_out: ShownPositions, legend: Legend, network: LeafNetwork, hand_share: float, scale: Scale
) -> Comparison:
    """Measure both on positions of games that nothing was fitted to."""
    held_out = held_out.played
    learned = hand_share * held_out.own + network.evaluate(rows_of(held_out.shown, legend)) / 2**POINT_SHIFT
    return Comparison(_measured(held_out.own, held_out, scale), _measured(learned.astype(np.float32), held_out, scale))


def _measured(points: NDArray[np.float32], held_out: ShownPositions, scale: Scale) -> LeafMeasure:
    logits = scale.logits(points, held_out.living)
    outcome = targets(held_out, scale, 1.0)
    chances = 1 / (1 + np.exp(-logits.clip(-60, 60)))
    together = float(np.corrcoef(chances, outcome)[0, 1]) if np.ptp(outcome) and np.ptp(chances) else 0.0
    return LeafMeasure(len(points), together, float(np.mean(np.logaddexp(0, logits) - outcome * logits)))


@dataclass(frozen=True, slots=True)
class Fitted:
    """An evaluation, with what it was measured at in duels and among more snakes; None: it is silent there, and there
    are no games to measure the snake's own on."""

    evaluation: LeafEval
    duel: Comparison | None
    crowd: Comparison | None

    def text(self) -> str:
        """The measures as a small table."""
        rows = [f"{'held-out games':22} {'positions':>10} {'own':>8} {'with it':>8}   correlation with the outcome"]
        for kind, each in ((_DUEL, self.duel), (_CROWD, self.crowd)):
            if each is not None:
                rows.append(f"{kind:22} {each.own.positions:10,} {_figures(each.own, each.learned)}")
        return "\n".join(rows)


def _figures(own: LeafMeasure, learned: LeafMeasure) -> str:
    losses = f"cross-entropy {own.cross_entropy:.4f} and {learned.cross_entropy:.4f}"
    return f"{own.correlation:8.3f} {learned.correlation:8.3f}   {losses}"


def fit_evaluation(dataset: Dataset, settings: FitSettings, tell: Callable[[str], None]) -> Fitted:
    """Fit the duel's network and the crowd's; one that is to have no share needs no games.

    Raises:
        DataError: there are too few positions.
    """
    shares = ((_DUEL, settings.duel_share), (_CROWD, settings.crowd_share))
    duel, crowd = (_fit_part(kind, dataset, settings, share, tell) for kind, share in shares)
    return measure_evaluation(LeafEval(dataset.legend, settings.hand_share, SIDE, SIDE, duel, crowd), dataset)


def _fit_part(
    kind: str, dataset: Dataset, settings: FitSettings, share: float, tell: Callable[[str], None]
) -> LeafNetwork:
    if share == 0:
        tell(f"{kind}: left to the snake's own evaluation")
        return silent_network(dataset.legend)
    training = _part(dataset.training, kind)
    searched = int(training.searched.sum())
    if searched < _LEAST_POSITIONS:
        raise DataError(
            f"there are {searched} positions of {kind} to learn from, too few",
            remedy="Let the snake play more: `ouroboros leaf-eval play`.",
        )
    tell(f"{kind}: {searched:,} positions")
    return fit(training, dataset.legend, scale_of(training), settings, share, tell)


def measure_evaluation(evaluation: LeafEval, dataset: Dataset) -> Fitted:
    """Measure an evaluation on the positions that nothing was fitted to.

    Raises:
        DataError: there are too few of them where it adds anything.
    """
    parts = ((_DUEL, evaluation.duel), (_CROWD, evaluation.crowd))
    duel, crowd = (_measure_part(kind, network, evaluation, dataset) for kind, network in parts)
    return Fitted(evaluation, duel, crowd)


def _measure_part(kind: str, network: LeafNetwork, evaluation: LeafEval, dataset: Dataset) -> Comparison | None:
    held_out, training = _part(dataset.held_out, kind).played, _part(dataset.training, kind)
    if len(held_out) * 10 >= _LEAST_POSITIONS:
        return compare(held_out, dataset.legend, network, evaluation.hand_share, scale_of(training))
    if network.silent:
        return None
    raise DataError(
        f"there are {len(held_out)} positions of {kind} to measure on, too few",
        remedy="Let the snake play more: `ouroboros leaf-eval play`.",
    )


def _part(positions: ShownPositions, kind: str) -> ShownPositions:
    return positions.where((positions.living == 2) == (kind == _DUEL))
