"""The search within a run: which optimiser it is, its questions as games, and what the games answer."""

from collections.abc import Callable, Mapping
from random import Random

import numpy as np

from pipeline.tuner import weights
from pipeline.tuner.contest import Contest
from pipeline.tuner.custom_search import OwnSearch
from pipeline.tuner.jobs import JobKind, JobResult, Participant, SourceKind, Stage, pair_seeds
from pipeline.tuner.objectives import estimates
from pipeline.tuner.optimise import Answer, Optimiser, Point, SearchSpace
from pipeline.tuner.optimise.build import strategy
from pipeline.tuner.setup import Setup
from pipeline.tuner.space import Space
from pipeline.tuner.weights import WeightFile
from schemas.tuning import SearchKind
from schemas.tuning_run import OpenQuestion, TuningState, WeightValue

Perturb = Callable[[WeightFile, Random], dict[str, WeightValue]]


def optimiser_of(setup: Setup, state: TuningState, space: Space, draw: Callable[[int], Point]) -> Optimiser:
    """The optimiser as the state holds it, or a new one from the champion.

    Args:
        draw: of the strategy `random`: the point of candidate number N.
    """
    if setup.strategy == SearchKind.RANDOM:
        return OwnSearch.restored(state.optimiser.encode(), draw) if state.optimiser else OwnSearch(draw)
    if state.optimiser:
        return strategy(setup.strategy).restore(state.optimiser.encode())
    search_space = SearchSpace(
        start=tuple(space.point(weights.parse(state.champion, state.snake).values).tolist()),
        levels=space.levels,
        scale=space.sizes,
        seed=state.seed + state.chapter,
        dear_gate=setup.probe(state.deepened) != setup.gate,
        aims=len(setup.aims),
    )
    return strategy(setup.strategy).build(search_space)


def drawn(perturb: Perturb, state: TuningState, space: Space, champion: WeightFile, number: int) -> Point:
    """The point that a user's own perturbation, or the guide's, makes of the champion."""
    changes = perturb(champion, Random(f"{state.seed} {state.chapter} {number}"))
    return space.point({**champion.values, **changes})


def questions(optimiser: Optimiser, room: int, space: Space, champion: WeightFile) -> tuple[OpenQuestion, ...]:
    """Up to `room` further questions; one without a second side is about the champion."""
    here = space.point(champion.values)
    return tuple(
        OpenQuestion(
            id=question.id,
            first=tuple(question.first.tolist()),
            second=tuple((here if question.second is None else question.second).tolist()),
            pairs=question.pairs,
            base=champion.hash,
        )
        for question in (optimiser.ask(room) if room > 0 else [])
    )


def contest_of(question: OpenQuestion, setup: Setup, state: TuningState, space: Space) -> Contest:
    """The games of a question."""
    base = weights.parse(state.bases[question.base], state.snake)
    first, second = (space.file(np.array(point), base).text for point in (question.first, question.second))
    return Contest(
        name=f"{state.chapter}/probe/{question.id}",
        kind=JobKind.PROBE,
        first=Participant(SourceKind.WEIGHTS, first),
        second=Participant(SourceKind.WEIGHTS, second),
        seeds=pair_seeds(state.seed, Stage.PROBE, state.chapter, question.id, question.pairs),
        conditions=setup.probe(state.deepened),
        objective=setup.settings.objective,
        opponents=setup.opponents,
    )


def answer_of(question: OpenQuestion, setup: Setup, contest: Contest, results: Mapping[str, JobResult]) -> Answer:
    """What the games of a question say; nothing where some of them were lost."""
    if not all(job.id in results for job in contest.jobs):
        return Answer(question.id, ())
    halves = 0.5 if setup.opponents else 1.0
    scores = tuple(0.5 + halves * seed.gain for seed in contest.scores(results, candidate_first=False))
    if len(setup.aims) == 1:
        return Answer(question.id, scores)
    found = zip(setup.aims, estimates(setup.aims, contest, results), strict=True)
    return Answer(question.id, scores, tuple(aim.sign * each.value for aim, each in found))
