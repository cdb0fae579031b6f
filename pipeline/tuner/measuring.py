"""Measurements: games that decide nothing, on seeds that nothing else sees. Their figures are the ones shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.evaluation.intervals import measure_blocks
from pipeline.tuner.contest import Contest, SeedScore
from pipeline.tuner.gate import MeasuredGain, SeedOutcome, measured_gain
from pipeline.tuner.jobs import JobKind, JobResult, Participant, SourceKind, Stage, pair_seeds
from pipeline.tuner.setup import Setup
from schemas.tuning import Objective
from schemas.tuning_run import MeasuredRate, TuningState

_PARTS = 4
"""Measurements after one promotion that need seeds of their own, at most."""


def baseline(setup: Setup, state: TuningState) -> Contest:
    """The champion against the opponents, or without any against the weights that the run started from."""
    settings = setup.settings
    games = settings.baseline_games if state.best is None else settings.measure_games
    second = state.champion if setup.opponents else state.reference
    if not setup.opponents and state.champion == state.reference:
        games = 2  # against itself every pair of games comes to a half; two show that the snake plays at all
    return _contest(setup, state, "baseline", 0, state.champion, second, games)


def contests(setup: Setup, state: TuningState) -> list[Contest]:
    """A promoted candidate against the champion before it, at the deployed conditions and, where those differ, at the
    cheap ones; and against the reference, where that is another one than the champion before."""
    assert state.promoted is not None
    former, games = state.promoted.former, setup.settings.measure_games
    gain = _contest(setup, state, "gain", 1, state.champion, former, games)
    found = [gain]
    if (probe := setup.probe(state.deepened)) != setup.gate:
        carried = _contest(setup, state, "gain-as-probed", 2, state.champion, former, games)
        found.append(replace(carried, conditions=probe))
    if not setup.opponents and former != state.reference:
        found.append(_contest(setup, state, "reference", 3, state.champion, state.reference, games))
    return found


def baseline_measured(
    state: TuningState, contest: Contest, results: Mapping[str, JobResult]
) -> tuple[TuningState, dict[str, Any]]:
    """The state with the champion's win rate."""
    rate = _rate(contest, contest.scores(results, candidate_first=False))
    changes = {"best": rate, "measurement_due": False, "measurements": state.measurements + 1}
    return state.model_copy(update=changes), {"best": rate.model_dump()}


def measured(
    setup: Setup, state: TuningState, played: Sequence[Contest], results: Mapping[str, JobResult]
) -> tuple[TuningState, dict[str, Any]]:
    """The state with the new champion's win rate, and the finished log line of its iteration."""
    assert state.promoted is not None
    by_name = {contest.name.rsplit("/", 1)[1]: contest for contest in played}
    scores = {name: contest.scores(results, candidate_first=True) for name, contest in by_name.items()}
    rated = "reference" if "reference" in by_name else "gain"
    rate = _rate(by_name[rated], scores[rated])
    gain = _gain(setup, scores["gain"])
    probed = _gain(setup, scores["gain-as-probed"]) if "gain-as-probed" in scores else None
    facts = state.promoted.facts.model_copy(
        update={
            "best_win_rate": rate.win_rate,
            "best_win_rate_low": rate.low,
            "best_win_rate_high": rate.high,
            "best_win_rate_games": rate.games,
            "improvement": gain.gain,
            "improvement_low": gain.low,
            "improvement_high": gain.high,
            "probe_improvement": probed and probed.gain,
            "probe_low": probed and probed.low,
            "probe_high": probed and probed.high,
            "games": state.promoted.facts.games + state.total_games - state.games_at_iteration,
        }
    )
    changes = {
        "best": rate,
        "measurement_due": False,
        "measurements": state.measurements + 1,
        "promoted": None,
        "games_at_iteration": state.total_games,
    }
    return state.model_copy(update=changes), {"best": rate.model_dump(), "record": facts.model_dump(mode="json")}


def _contest(setup: Setup, state: TuningState, name: str, part: int, first: str, second: str, games: int) -> Contest:
    serial = _PARTS * state.measurements + part
    return Contest(
        name=f"{state.chapter}/measure/{state.measurements}/{name}",
        kind=JobKind.MEASUREMENT,
        first=Participant(SourceKind.WEIGHTS, first),
        second=Participant(SourceKind.WEIGHTS, second),
        seeds=pair_seeds(state.seed, Stage.MEASUREMENT, state.chapter, serial, -(-games // 2)),
        conditions=setup.gate,
        objective=setup.settings.objective,
        opponents=setup.opponents,
    )


def _rate(contest: Contest, scores: Sequence[SeedScore]) -> MeasuredRate:
    games = sum(len(job.games) for job in contest.jobs if not job.id.endswith("/second"))
    rate = measure_blocks([score.own for score in scores], games / len(scores))
    return MeasuredRate(win_rate=rate.win_rate, low=rate.low, high=rate.high, games=rate.games)


def _gain(setup: Setup, scores: Sequence[SeedScore]) -> MeasuredGain:
    each = 2 if setup.settings.objective is Objective.DUEL else 3
    gain = measured_gain([SeedOutcome(0.5 + score.gain, score.unchanged) for score in scores], each)
    assert gain is not None, "a measurement has at least one seed"
    return gain
