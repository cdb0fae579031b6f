"""Which weights matter together: a small two-level design in which no interaction of two hides behind another.

Fractional factorial designs of resolution V or more for up to eight weights (Box, Hunter and Hunter, "Statistics for
Experimenters", 1978, table 12.15): main effects and interactions of two are aliased with interactions of three or more
alone, which are taken for nothing. Each row of the design is the champion with all these weights moved, up or down, and
plays the champion on the same seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import NormalDist, fmean, variance
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.tuner.contest import Contest
from pipeline.tuner.jobs import JobKind, JobResult, Participant, SourceKind, Stage, pair_seeds
from pipeline.tuner.setup import Setup
from pipeline.tuner.space import Space
from pipeline.tuner.weights import WeightFile
from schemas.tuning_run import TuningState

MOST_WEIGHTS = 8
LEVEL = 0.05
"""Chance, over all pairs, of naming an interaction that is none."""
_GENERATORS: dict[int, tuple[int, tuple[tuple[int, ...], ...]]] = {
    5: (4, ((0, 1, 2, 3),)),
    6: (5, ((0, 1, 2, 3, 4),)),
    7: (6, ((0, 1, 2, 3, 4, 5),)),
    8: (6, ((0, 1, 2, 3), (0, 1, 4, 5))),
}
"""Weights -> how many vary freely, and of which of those each further one is the product."""
WEIGHTS = 6
SEEDS = 4
"""Boards of each row."""
REACH = 0.3
"""Share of a weight's size by which it is set up and down."""
_SERIAL = 1 << 20
"""Boards of their own among the screen's."""


def design(weights: int) -> NDArray[np.int8]:
    """The rows, int8[rows, weights] of -1 and 1: 4 to 64 of them.

    Raises:
        ValueError: fewer than 2 weights, or more than `MOST_WEIGHTS`.
    """
    if not 2 <= weights <= MOST_WEIGHTS:
        raise ValueError(f"a design is for 2 to {MOST_WEIGHTS} weights, not {weights}")
    free, products = _GENERATORS.get(weights, (weights, ()))
    rows = ((np.arange(2**free)[:, None] >> np.arange(free)) & 1) * 2 - 1
    further = [rows[:, list(factors)].prod(1) for factors in products]
    return np.column_stack([rows, *further]).astype(np.int8)


@dataclass(frozen=True)
class Interaction:
    """Two weights whose changes together are worth something else than the sum of both."""

    first: str
    second: str
    effect: float
    """Half of what moving both the same way gains in score over moving them opposite ways."""
    error: float
    """Its standard error."""


def interactions(names: Sequence[str], scores: Sequence[Sequence[float]]) -> tuple[Interaction, ...]:
    """The pairs that matter, the strongest first.

    Args:
        names: of the weights, in the order of the design's columns.
        scores: per row of the design, the scores of its seeds (two or more).

    Raises:
        ValueError: rows that do not fit the design, or rows with fewer than two seeds.
    """
    rows = design(len(names))
    if len(scores) != len(rows) or min(map(len, scores)) < 2:
        raise ValueError(f"{len(rows)} rows of two scores or more are needed, not {len(scores)}")
    means = np.array([fmean(row) for row in scores])
    error = sqrt(sum(variance(row) / len(row) for row in scores)) / len(rows)
    pairs = list(combinations(range(len(names)), 2))
    limit = NormalDist().inv_cdf(1 - LEVEL / (2 * len(pairs)))
    found = []
    for first, second in pairs:
        effect = float(np.mean(means * rows[:, first] * rows[:, second]))
        if abs(effect) > limit * max(error, 1e-9):
            found.append(Interaction(names[first], names[second], effect, error))
    return tuple(sorted(found, key=lambda entry: -abs(entry.effect)))


def due_after(promotions: int) -> bool:
    """Whether it is asked after so many promotions: 1, 4, 16, ..."""
    return promotions > 0 and promotions & (promotions - 1) == 0 and promotions.bit_length() % 2 == 1


def places(space: Space, reference: WeightFile, champion: WeightFile) -> list[int]:
    """The coordinates that are crossed; fewer than two where there are no more numbers."""
    moved = np.abs(space.point(champion.values) - space.point(reference.values)) / np.array(space.sizes)
    numbers = [place for place, levels in enumerate(space.levels) if not levels]
    return sorted(sorted(numbers, key=lambda place: -moved[place])[:WEIGHTS])


def contests(
    setup: Setup, state: TuningState, space: Space, reference: WeightFile, champion: WeightFile
) -> list[Contest]:
    """One for each row of the design."""
    crossed = places(space, reference, champion)
    here, shift = space.point(champion.values), REACH * np.array(space.sizes)[crossed]
    seeds = pair_seeds(state.seed, Stage.SCREEN, state.chapter, _SERIAL + state.accepted, SEEDS)
    found = []
    for number, row in enumerate(design(len(crossed))):
        point = here.copy()
        point[crossed] = np.clip(here[crossed] + row * shift, 0.0, 1.0)
        found.append(
            Contest(
                name=f"{state.chapter}/crossing/{state.accepted}/{number}",
                kind=JobKind.SCREEN,
                first=Participant(SourceKind.WEIGHTS, space.file(point, champion).text),
                second=Participant(SourceKind.WEIGHTS, champion.text),
                seeds=seeds,
                conditions=setup.probe(state.deepened),
                objective=setup.settings.objective,
                opponents=setup.opponents,
            )
        )
    return found


def crossed(
    space: Space, reference: WeightFile, champion: WeightFile, played: list[Contest], results: Mapping[str, JobResult]
) -> dict[str, Any]:
    """What the ledger notes: the weights, and the pairs that matter."""
    names = [space.names[place] for place in places(space, reference, champion)]
    rows = [[score.gain for score in contest.scores(results, candidate_first=False)] for contest in played]
    found = interactions(names, rows)
    return {"weights": names, "found": [[each.first, each.second, each.effect, each.error] for each in found]}


def interactions_in(body: Mapping[str, Any]) -> tuple[Interaction, ...]:
    """The pairs that a step of the ledger notes."""
    return tuple(Interaction(*row) for row in body["found"])


def words(body: Mapping[str, Any]) -> str:
    """For people."""
    asked = f"Which of {', '.join(body['weights'])} matter together"
    if not body["found"]:
        return f"{asked}: no pair beyond chance."
    pairs = (f"{one} with {other} ({effect:+.1%} ± {1.96 * error:.1%})" for one, other, effect, error in body["found"])
    return f"{asked}: {', '.join(pairs)}."
