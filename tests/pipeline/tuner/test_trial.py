"""Judging candidates: error rates over many, failures, and the plain comparison."""

from types import ModuleType
from typing import Any

import pytest

from pipeline.tuner.promises import false_keeps_per_100, power_at_target, promise
from pipeline.tuner.seeds import Stage, pair_seeds
from pipeline.tuner.trial import Judge, Trial
from schemas.campaign import CandidateDecision
from schemas.errors import EvaluationError
from schemas.tuning import AcceptRule, TunerSettings

NEVER = lambda: False  # noqa: E731


def judged(simulated: ModuleType, strength: float, number: int, arena: Any = None, **settings: Any) -> Trial:
    arena = arena or simulated.SimulatedArena()
    tuner = TunerSettings.model_validate(settings)
    opponents = [arena.opponent(where, NEVER) for where in tuner.opponents]
    judge = Judge(arena, tuner, opponents, NEVER, lambda _result: None)
    text = simulated.CONFIG
    candidate = arena.player("candidate", text.replace("strength: 0.0", f"strength: {strength}"), NEVER)
    best = arena.player("best", text, NEVER)
    pairs = tuner.max_games // 2
    seeds = [pair_seeds(9, stage, 1, number, pairs) for stage in (Stage.DECISION, Stage.CONFIRMATION)]
    return judge.judge(candidate, best, *seeds)


def share_accepted(simulated: ModuleType, gain: float, trials: int, **settings: Any) -> float:
    """A strength of twice the gain wins a game with probability 0.5 + gain."""
    decisions = [judged(simulated, 2 * gain, number, **settings).decision for number in range(trials)]
    return decisions.count(CandidateDecision.ACCEPTED) / trials


def test_candidates_without_a_change_are_kept_no_oftener_than_stated(simulated: ModuleType) -> None:
    """Stated: alpha squared of them. At alpha 0.2 that is 4 %; the bound allows three standard errors."""
    trials, settings = 300, {"alpha": 0.2, "beta": 0.2, "target_improvement": 0.1}
    stated = false_keeps_per_100(TunerSettings.model_validate(settings)) / 100
    kept = share_accepted(simulated, 0.0, trials, **settings)
    assert stated == pytest.approx(0.04)
    assert kept <= stated + 3 * (stated * (1 - stated) / trials) ** 0.5


def test_real_gains_are_kept_as_often_as_stated(simulated: ModuleType) -> None:
    trials, settings = 80, {"alpha": 0.05, "beta": 0.1, "target_improvement": 0.1}
    stated = power_at_target(TunerSettings.model_validate(settings))
    kept = share_accepted(simulated, 0.1, trials, **settings)
    assert stated == pytest.approx(0.81)
    assert kept >= stated - 3 * (stated * (1 - stated) / trials) ** 0.5


def test_the_plain_comparison_keeps_half_of_what_changes_nothing_and_says_so(simulated: ModuleType) -> None:
    settings = {"accept": "mean", "games": 30}
    stated = false_keeps_per_100(TunerSettings.model_validate(settings))
    kept = 100 * share_accepted(simulated, 0.0, 400, **settings)
    assert stated == pytest.approx(49.6, abs=0.1)
    assert 35 <= kept <= 52  # ties count as no improvement
    words = promise(TunerSettings(accept=AcceptRule.MEAN))
    assert "power of 9.4%" in words
    assert "about 50 will be kept" in words


def test_a_much_worse_candidate_is_dropped_at_the_first_looks(simulated: ModuleType) -> None:
    trial = judged(simulated, -0.6, 1)
    assert trial.decision is CandidateDecision.REJECTED
    assert trial.deciding.games <= 90
    assert trial.confirming is None
    assert trial.improvement == 0
    assert trial.log_likelihood_ratio < 0


def test_deciding_and_confirming_games_are_different_ones(simulated: ModuleType) -> None:
    arena = simulated.SimulatedArena()
    trial = judged(simulated, 0.5, 1, arena)
    assert trial.decision is CandidateDecision.ACCEPTED
    assert trial.confirming is not None
    assert len(arena.seeds) == len(trial.deciding.own) + len(trial.confirming.own)
    assert len(set(arena.seeds)) == len(arena.seeds)
    assert trial.improvement == pytest.approx(trial.confirming.gain)


def test_what_cannot_be_decided_in_time_is_not_kept(simulated: ModuleType) -> None:
    trial = judged(simulated, 0.05, 3, max_games=60)
    assert trial.decision is CandidateDecision.UNDECIDED


def test_a_success_that_does_not_repeat_is_not_kept(simulated: ModuleType) -> None:
    class Fickle(simulated.SimulatedArena):  # type: ignore[name-defined, misc]
        """The candidate is strong on deciding seeds only."""

        def play(self, rounds: Any, on_round: Any, abandon: Any) -> None:
            deciding = rounds[0].seed >> 60 == Stage.DECISION
            rounds[0].matches[0][0].strength = 0.4 if deciding else -0.2
            super().play(rounds, on_round, abandon)

    trial = judged(simulated, 0.4, 1, Fickle())
    assert trial.decision is CandidateDecision.NOT_CONFIRMED
    assert trial.improvement == 0


def test_against_opponents_both_play_the_same_seeds(simulated: ModuleType) -> None:
    opponents = ["http://one", "http://two"]
    better = judged(simulated, 0.5, 1, opponents=opponents)
    same = judged(simulated, 0.0, 1, opponents=opponents)
    assert better.decision is CandidateDecision.ACCEPTED
    assert better.improvement == pytest.approx(0.25, abs=0.15)
    assert same.decision is CandidateDecision.REJECTED
    assert better.deciding.games == 4 * len(better.deciding.own)


def test_over_one_percent_of_failures_fails_the_evaluation(simulated: ModuleType) -> None:
    arena = simulated.SimulatedArena(failing=lambda seed, name: name == "candidate" and seed % 10 == 0)
    with pytest.raises(EvaluationError, match=r"a snake failed to answer; 1% is the limit.*candidate: timeout"):
        judged(simulated, 0.5, 1, arena)
    assert arena.games < 200


def test_a_single_failure_costs_more_games_not_the_verdict(simulated: ModuleType) -> None:
    first = pair_seeds(9, Stage.DECISION, 1, 1, 1)[0]
    arena = simulated.SimulatedArena(failing=lambda seed, name: name == "candidate" and seed == first)
    trial = judged(simulated, -0.8, 1, arena)
    assert trial.decision is CandidateDecision.REJECTED
    assert trial.deciding.failed == 1
    assert trial.deciding.games >= 100
