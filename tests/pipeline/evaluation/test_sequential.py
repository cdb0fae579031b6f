"""The sequential test: against published values, against brute force, and by its error rates."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.sequential import (
    PAIR_DIFFERENCES,
    PENTANOMIAL,
    Hypotheses,
    SequentialTest,
    Verdict,
    log_likelihood_ratio,
)

COUNTS = st.lists(st.integers(0, 300), min_size=5, max_size=5).filter(lambda counts: sum(counts) > 0)


def score_of(elo: float) -> float:
    return 1 / (1 + 10 ** (-elo / 400))


@pytest.mark.parametrize(
    ("wins", "losses", "draws", "elo0", "elo1", "ratio"),
    [(21404, 21184, 40708, 0.5, 2.5, -1.57), (57433, 57030, 106593, 0, 2, -2.59)],
)
def test_trinomial_ratio_is_the_published_one(
    wins: int, losses: int, draws: int, elo0: float, elo1: float, ratio: float
) -> None:
    """Fastchess, `app/tests/sprt_test.cpp`, "logistic trinomial"; these are Fishtest's own figures."""
    found = log_likelihood_ratio((0, 0.5, 1), (losses, draws, wins), score_of(elo0), score_of(elo1))
    assert found == pytest.approx(ratio, abs=0.006)


@pytest.mark.parametrize(
    ("pairs", "elo0", "elo1", "ratio"),
    [((223, 9863, 21279, 10037, 246), 0.5, 2.5, -3.07), ((871, 26175, 55983, 26678, 821), 0, 2, -4.98)],
)
def test_pentanomial_ratio_is_the_published_one(pairs: tuple[int, ...], elo0: float, elo1: float, ratio: float) -> None:
    """As above, "logistic pentanomial"; win-loss and two draws are one outcome."""
    found = log_likelihood_ratio(PENTANOMIAL, pairs, score_of(elo0), score_of(elo1))
    assert found == pytest.approx(ratio, abs=0.006)


@settings(deadline=None)
@given(COUNTS)
def test_mirrored_games_and_hypotheses_give_the_opposite_ratio(counts: list[int]) -> None:
    forward = log_likelihood_ratio(PENTANOMIAL, counts, 0.5, 0.55)
    backward = log_likelihood_ratio(PENTANOMIAL, counts[::-1], 0.5, 0.45)
    assert backward == pytest.approx(forward, abs=1e-6, rel=1e-6)
    swapped = log_likelihood_ratio(PENTANOMIAL, counts, 0.55, 0.5)
    assert swapped == pytest.approx(-forward, abs=1e-9)


@settings(deadline=None)
@given(COUNTS, st.integers(0, 3), st.integers(1, 50))
def test_a_better_pair_raises_the_ratio(counts: list[int], worse: int, moved: int) -> None:
    better = list(counts)
    better[worse] += moved
    improved = list(counts)
    improved[worse + 1] += moved
    filled = [count + 1 for count in better], [count + 1 for count in improved]
    ratios = [log_likelihood_ratio(PENTANOMIAL, each, 0.501, 0.55) for each in filled]
    assert ratios[0] < ratios[1]


def test_the_constrained_maximum_is_the_maximum() -> None:
    """Brute force over all distributions on three outcomes with the wanted mean."""
    counts, mean0, mean1 = np.array([30.0, 25.0, 45.0]), 0.5, 0.6

    def best_likelihood(mean: float) -> float:
        draws = np.linspace(1e-6, 1 - 1e-6, 200_001)
        wins = mean - draws / 2
        losses = 1 - draws - wins
        inside = (wins > 0) & (losses > 0)
        shares = np.stack([losses[inside], draws[inside], wins[inside]])
        return float(np.max(counts @ np.log(shares)))

    expected = best_likelihood(mean1) - best_likelihood(mean0)
    assert log_likelihood_ratio((0, 0.5, 1), counts.tolist(), mean0, mean1) == pytest.approx(expected, abs=1e-6)


def test_pairs_that_all_end_even_are_no_proof_of_being_better() -> None:
    test = SequentialTest(Hypotheses(0.501, 0.55, 0.05, 0.1))
    for _ in range(30):
        test.add(0.5)
    assert test.verdict is Verdict.NOT_BETTER


def test_nothing_played_says_nothing() -> None:
    test = SequentialTest(Hypotheses(0.501, 0.55, 0.05, 0.1), PAIR_DIFFERENCES)
    assert test.ratio == 0
    assert test.verdict is Verdict.UNDECIDED
    with pytest.raises(ValueError, match="not in"):
        test.add(0.33)


@pytest.mark.parametrize(
    ("null", "better", "alpha", "beta"),
    [(0.5, 0.5, 0.05, 0.05), (0.5, 0.6, 0, 0.1), (0.5, 0.6, 0.1, 0), (0.5, 0.6, 0.5, 0.5)],
)
def test_hypotheses_that_cannot_be_told_apart_are_refused(
    null: float, better: float, alpha: float, beta: float
) -> None:
    with pytest.raises(ValueError, match="must"):
        Hypotheses(null, better, alpha, beta)


def test_error_rates_hold_on_games_of_correlated_pairs() -> None:
    """At the null mean BETTER comes at most alpha of the time, at the better mean NOT_BETTER at most beta.

    Looks every 15 pairs, as the tuner does. 400 tests each; the bounds allow three standard errors.
    """
    hypotheses = Hypotheses(0.501, 0.56, 0.05, 0.1)
    trials = 400

    def share_of(verdict: Verdict, mean: float, seed: int) -> float:
        chance = random.Random(seed)
        lift = (mean - 0.5) / 0.225
        outcomes = (0.0, 0.25, 0.5, 0.75, 1.0)
        chances = (0.2 * (1 - lift), 0.1 * (1 - lift / 2), 0.4, 0.1 * (1 + lift / 2), 0.2 * (1 + lift))
        total = sum(chances)
        assert sum(a * b for a, b in zip(outcomes, chances, strict=True)) / total == pytest.approx(mean, abs=1e-9)
        return sum(_run(hypotheses, chance, outcomes, chances) is verdict for _ in range(trials)) / trials

    assert share_of(Verdict.BETTER, 0.501, 1) <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5
    assert share_of(Verdict.NOT_BETTER, 0.56, 2) <= 0.1 + 3 * (0.1 * 0.9 / trials) ** 0.5


def _run(
    hypotheses: Hypotheses, chance: random.Random, outcomes: tuple[float, ...], chances: tuple[float, ...]
) -> Verdict:
    test = SequentialTest(hypotheses)
    for _ in range(200):
        for outcome in chance.choices(outcomes, chances, k=15):
            test.add(outcome)
        if test.verdict is not Verdict.UNDECIDED:
            return test.verdict
    return Verdict.UNDECIDED
