"""Which weights matter together, asked within a run: the design of `pipeline.tuner.interactions`, played cheaply.

After the first promotion, the fourth, the sixteenth and so on, the six numbers that the run has moved farthest are set
up and down together in 32 ways, each of which plays the champion on the same boards. Nothing is decided by it: the
report names the pairs, so that a person knows which weights not to judge, or freeze, one without the other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.tuner.contest import Contest
from pipeline.tuner.interactions import Interaction, design, interactions
from pipeline.tuner.jobs import JobKind, MatchResult, Participant, SourceKind
from pipeline.tuner.seeds import Stage, pair_seeds
from pipeline.tuner.setup import Setup
from pipeline.tuner.space import Space
from pipeline.tuner.weights import WeightFile
from schemas.tuning_run import TuningState

WEIGHTS = 6
SEEDS = 4
"""Boards of each row."""
REACH = 0.3
"""Share of a weight's size by which it is set up and down."""
_SERIAL = 1 << 20
"""Boards of their own among the screen's."""


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
                conditions=setup.probe,
                objective=setup.settings.objective,
                opponents=setup.opponents,
            )
        )
    return found


def crossed(
    space: Space, reference: WeightFile, champion: WeightFile, played: list[Contest], results: Mapping[str, MatchResult]
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
