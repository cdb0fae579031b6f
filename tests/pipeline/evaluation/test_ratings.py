"""Ratings from games whose true strengths are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from pipeline.evaluation.ratings import NOBODY, fit_strengths, orders_of, rate_duels, rate_orders

TRUE_ELO = np.array([150.0, 50.0, -40.0, -160.0])


def arrivals(chance: np.random.Generator, strength: np.ndarray, games: int) -> np.ndarray:
    """Orders drawn from Plackett-Luce by the exponential race, best first."""
    return np.argsort(chance.exponential(1, (games, len(strength))) / strength, axis=1)


def test_plackett_luce_finds_the_strengths_that_made_the_games() -> None:
    chance = np.random.default_rng(1)
    orders = arrivals(chance, 10 ** (TRUE_ELO / 400), 4000)
    ranks = np.tile(np.arange(1, 5), (4000, 1))
    rated = rate_orders(orders_of(orders, ranks, 4), 4, 0.95, seed=2, resamples=100)
    assert rated.elo == pytest.approx(TRUE_ELO, abs=20)
    assert (rated.low <= TRUE_ELO).all()
    assert (rated.high >= TRUE_ELO).all()
    assert (rated.high - rated.low < 50).all()


def test_plackett_luce_is_the_likeliest() -> None:
    """Against SciPy's own search for the maximum of the likelihood, orders of different lengths mixed."""
    orders = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 1, 0], [2, 0, NOBODY, NOBODY], [0, 3, 1, NOBODY]])
    weights = np.array([7.0, 4.0, 2.0, 3.0, 2.5])

    def loss(logs: np.ndarray) -> float:
        total = 0.0
        for order, weight in zip(orders, weights, strict=True):
            left = [player for player in order if player != NOBODY]
            while len(left) > 1:
                total -= weight * (logs[left[0]] - np.log(np.exp(logs[left]).sum()))
                left = left[1:]
        return total

    found = minimize(loss, np.zeros(4), method="BFGS").x
    assert np.log(fit_strengths(orders, weights[None], 4))[0] == pytest.approx(found - found.mean(), abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=40))
def test_two_players_get_the_closed_form_of_bradley_terry(pair_scores: list[float]) -> None:
    """A quarter of a win more for each, which is half a drawn game; draws count half."""
    mine = np.array(pair_scores)
    scores = np.full((len(mine), 2, 2), 0.5)
    scores[:, 0, 1], scores[:, 1, 0] = mine, 1 - mine
    gap = 400 * np.log10((2 * mine.sum() + 0.25) / (2 * (1 - mine).sum() + 0.25))
    rated = rate_duels(scores, 2, 0.95, seed=1, resamples=1)
    assert rated.elo == pytest.approx([gap / 2, -gap / 2], abs=0.01)


def test_duels_and_orders_of_two_are_one_rating() -> None:
    chance = np.random.default_rng(3)
    ranks = np.array([[1, 2], [2, 1], [1, 1]])[chance.integers(0, 3, 60)]
    players = np.tile([[0, 1], [0, 2], [1, 2]], (20, 1))
    points = np.where(ranks[:, 0] == ranks[:, 1], 0.5, ranks[:, 0] == 1).reshape(20, 3)
    scores = np.full((20, 3, 3), 0.5)
    for column, (one, other) in enumerate(((0, 1), (0, 2), (1, 2))):
        scores[:, one, other], scores[:, other, one] = points[:, column], 1 - points[:, column]
    by_order = rate_orders(orders_of(players, ranks, 3), 3, 0.95, seed=1, resamples=20)
    by_score = rate_duels(scores, 1, 0.95, seed=1, resamples=20)
    for one, other in zip((by_order.elo, by_order.low, by_order.high), (by_score.elo, by_score.low, by_score.high),
                          strict=True):  # fmt: skip
        assert one == pytest.approx(other, abs=0.01)


def test_a_tie_counts_as_all_its_orders() -> None:
    tied = orders_of(np.array([[4, 2, 7]]), np.array([[1, 2, 1]]), 1)
    found = {tuple(order): weight for order, weight in zip(tied.orders.tolist(), tied.weights[0], strict=True)}
    assert found == {(4, 7, 2): 0.5, (7, 4, 2): 0.5}


def test_a_player_in_two_seats_is_twice_in_the_order() -> None:
    seen = orders_of(np.array([[0, 1, 0, 1]] * 2), np.array([[1, 2, 3, 4], [1, 3, 2, 3]]), 1)
    assert seen.orders.tolist() == [[0, 1, 0, 1], [0, 0, 1, 1]]
    assert seen.weights.tolist() == [[1, 0], [0, 1]]
    one, other = rate_orders(seen, 2, 0.95, seed=1).elo
    assert one == pytest.approx(-other)
    assert one > 0


def test_who_never_won_has_a_finite_rating() -> None:
    beaten = np.tile([[0.5, 1.0], [0.0, 0.5]], (20, 1, 1))
    rated = rate_duels(beaten, 2, 0.95, seed=1)
    assert np.isfinite([rated.elo, rated.low, rated.high]).all()
    assert rated.elo[0] > 200
    rated = rate_orders(orders_of(np.array([[0, 1, 2]] * 9), np.array([[1, 2, 3]] * 9), 1), 3, 0.95, seed=1)
    assert np.isfinite([rated.elo, rated.low, rated.high]).all()


def test_the_interval_leaves_out_as_much_below_as_above() -> None:
    """Of two players one gains what the other loses, so that their intervals mirror each other."""
    scores = np.full((30, 2, 2), 0.5)
    scores[:, 0, 1] = np.random.default_rng(6).random(30)  # no two resamples alike: each percentile is another number
    scores[:, 1, 0] = 1 - scores[:, 0, 1]
    rated = rate_duels(scores, 2, 0.9, seed=1, resamples=200)
    assert rated.low == pytest.approx(-rated.high[::-1])
    assert (rated.low < rated.elo).all() and (rated.elo < rated.high).all()


@pytest.mark.parametrize(
    ("mine", "least"),
    [([0.5], 150), ([1.0], 150), ([1.0] * 50, 150), ([0.5] * 50, 40)],
    ids=["two games, one each", "two games won", "all of a hundred won", "each from its seat"],
)
def test_few_games_or_all_alike_do_not_make_a_rating_certain(mine: list[float], least: float) -> None:
    """Blocks that say the same are drawn anew as the same; the games in them might have come out otherwise."""
    scores = np.full((len(mine), 2, 2), 0.5)
    scores[:, 0, 1], scores[:, 1, 0] = mine, 1 - np.array(mine)
    rated = rate_duels(scores, 2, 0.95, seed=1, resamples=200)
    assert (rated.high - rated.low >= least).all()
    assert (rated.low <= rated.elo).all() and (rated.elo <= rated.high).all()


def test_the_interval_of_duels_covers_as_often_as_it_says() -> None:
    """Forty rounds of 150 blocks: within four standard errors of 95 %."""
    chance, gap, covered = np.random.default_rng(4), 80.0, 0
    won = 1 / (1 + 10 ** (-gap / 400))
    for trial in range(40):
        first = (chance.random((150, 2)) < won).mean(1)
        scores = np.full((150, 2, 2), 0.5)
        scores[:, 0, 1], scores[:, 1, 0] = first, 1 - first
        rated = rate_duels(scores, 2, 0.95, seed=trial, resamples=150)
        covered += rated.low[0] <= gap / 2 <= rated.high[0]
    assert covered >= 33
