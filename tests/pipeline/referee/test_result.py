"""Sums over games, against counts made by hand."""

from array import array
from math import isnan

import pytest

from pipeline.referee import Ending, Failure, GameOutcome, MatchResult, ScheduledGame, SnakeOutcome
from schemas.errors import EvaluationError


def snake(contestant, cause="", died=None, **rest):
    return SnakeOutcome(contestant, cause, None, died, 3, **rest)


def game(pair, seats, ending, winner, snakes):
    return GameOutcome(ScheduledGame(pair, 100 + pair, seats), ending, 50, winner, tuple(snakes), 0.1)


def result_of(games, limit=0.01):
    schedule = tuple(ScheduledGame(pair, 100 + pair, seats) for pair in range(3) for seats in ((0, 1), (1, 0)))
    return MatchResult(("a", "b"), schedule, tuple(games), len(games) < 6, 2.0, limit)


@pytest.fixture
def games():
    slow = array("f", [1.0, 2.0, 3.0, 4.0])
    return [
        game(0, (0, 1), Ending.WON, 0, [snake(0, latencies_ms=slow), snake(1, "wall-collision", 50)]),
        game(0, (1, 0), Ending.WON, 0, [snake(1), snake(0, "head-collision", 50, failures={Failure.TIMEOUT: 2})]),
        game(1, (0, 1), Ending.DRAW, None, [snake(0, "hazard", 50), snake(1, "hazard", 50)]),
        game(2, (1, 0), Ending.TURN_LIMIT, None, [snake(1, reconnects=1), snake(0, ignored_failures=1)]),
    ]


def test_tallies(games):
    result = result_of(games)
    first, second = result.tally(0), result.tally(1)
    assert (first.wins, first.draws, first.losses, first.turn_limits, first.seats) == (1, 1, 1, 1, 4)
    assert (second.wins, second.draws, second.losses, second.turn_limits) == (1, 1, 1, 1)
    assert first.score == second.score == (1 + 0 + 0.5 + 0.5) / 4
    assert first.causes == {"": 2, "head-collision": 1, "hazard": 1}
    assert first.failures == {Failure.TIMEOUT: 2}
    assert (first.ignored_failures, second.reconnects) == (1, 1)
    assert first.latency_p50_ms == pytest.approx(2.5)
    assert first.latency_p99_ms == pytest.approx(3.97)
    assert isnan(second.latency_p50_ms)
    assert result.games_per_s == 2.0


def test_pairs_are_whole(games):
    assert [(pair.pair, pair.score(0)) for pair in result_of(games).pairs()] == [(0, 0.5)]


def test_four_snakes_share_a_draw_among_the_last_to_die():
    snakes = [snake(0, "hazard", 50), snake(1, "hazard", 50), snake(1, "hazard", 49), snake(1, "out-of-health", 3)]
    drawn = game(0, (0, 1, 1, 1), Ending.DRAW, None, snakes)
    assert (drawn.score(0), drawn.score(1)) == (0.5, 0.5)
    at_limit = game(0, (0, 1, 1, 1), Ending.TURN_LIMIT, None, [snake(0), snake(1), snake(1), snake(1, "hazard", 3)])
    assert at_limit.score(0) == pytest.approx(1 / 3)
    assert at_limit.score(1) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("limit", "sound"), [(0.01, False), (0.24, False), (0.25, True), (1.0, True)])
def test_soundness_is_a_share_of_the_games(games, limit, sound):
    result = result_of(games, limit)
    assert result.failed_games == 1
    if sound:
        result.require_sound()
    else:
        with pytest.raises(EvaluationError, match=r"1 of 4 games.*a: 2 x timeout"):
            result.require_sound()


def test_no_games_are_sound():
    result_of([]).require_sound()
