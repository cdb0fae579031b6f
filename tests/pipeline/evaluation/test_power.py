"""What a comparison of a given size can see."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.intervals import chance_of_higher_mean, power_of_fixed_games


def test_the_textbook_sample_size_gives_the_textbook_power() -> None:
    """One-sided 5 % and 80 %: n = (1.645 sqrt(0.25) + 0.842 sqrt(0.55 * 0.45))^2 / 0.05^2 = 617 games."""
    assert power_of_fixed_games(617, 0.05) == pytest.approx(0.80, abs=0.002)


def test_thirty_games_are_blind_to_three_points() -> None:
    assert power_of_fixed_games(30, 0.03) < 0.10
    assert power_of_fixed_games(30, 0.03, level=0.025, rival_games=30) == pytest.approx(0.042, abs=0.002)


def test_without_a_gain_the_power_is_the_level() -> None:
    assert power_of_fixed_games(100, 0.0) == pytest.approx(0.05)


@settings(deadline=None)
@given(st.integers(10, 5000), st.floats(0.0, 0.4), st.floats(0.001, 0.09))
def test_more_gain_or_more_games_never_see_less(games: int, gain: float, more: float) -> None:
    here = power_of_fixed_games(games, gain)
    assert power_of_fixed_games(games, gain + more) >= here - 1e-9
    assert power_of_fixed_games(games * 2, gain) >= here - 1e-9
    assert power_of_fixed_games(games, gain, rival_games=games) <= here + 1e-9 or here < 0.5


def test_a_certain_win_is_seen() -> None:
    assert power_of_fixed_games(30, 0.5) == 1.0
    assert chance_of_higher_mean(30, 0.5, 0.001) == 1.0


def test_the_plain_comparison_says_yes_to_half_of_what_changes_nothing() -> None:
    chance = random.Random(3)
    yes = sum(sum(chance.random() < 0.5 for _ in range(31)) / 31 > 0.501 for _ in range(4000)) / 4000
    assert chance_of_higher_mean(31, 0.0, 0.001) == pytest.approx(yes, abs=0.03)
