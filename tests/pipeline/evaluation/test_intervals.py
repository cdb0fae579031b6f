"""Win rates with intervals."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.intervals import measure_pairs, wilson

PAIR_SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("score", "games", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(score: int, games: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert wilson(score, games) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("score", "games"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(score: int, games: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(score, games)


@settings(deadline=None)
@given(PAIR_SCORES)
def test_an_interval_covers_its_rate_and_is_never_narrower_than_for_independent_games(scores: list[float]) -> None:
    measured = measure_pairs(scores)
    low, high = wilson(sum(scores) * 2, measured.games)
    assert measured.games == 2 * len(scores)
    assert 0 <= measured.low <= measured.win_rate <= measured.high <= 1
    assert measured.low <= low + 1e-12
    assert measured.high >= high - 1e-12


@settings(deadline=None)
@given(PAIR_SCORES)
def test_losses_mirror_wins(scores: list[float]) -> None:
    won, lost = measure_pairs(scores), measure_pairs([1 - score for score in scores])
    assert (1 - lost.high, 1 - lost.low) == pytest.approx((won.low, won.high))


def test_pairs_whose_games_end_alike_get_the_wider_interval_they_need() -> None:
    """Coverage by simulation: both games of a pair always end alike, so 100 pairs are worth only 100 games."""
    chance, truth, trials = random.Random(7), 0.6, 400
    covered = naive = 0
    for _ in range(trials):
        scores = [float(chance.random() < truth) for _ in range(100)]
        measured = measure_pairs(scores)
        covered += measured.low <= truth <= measured.high
        low, high = wilson(2 * sum(scores), 200)
        naive += low <= truth <= high
    assert covered / trials >= 0.92
    assert naive / trials < 0.90


def test_a_rate_needs_games() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        measure_pairs([])
