"""Who failed too often: shown by the whole sample, not by one small match, however often it is looked at."""

import random

import pytest

from pipeline.tuner.faults import ERROR_RATE, FAILURE_LIMIT, fails_too_often


@pytest.mark.parametrize("games", [1, 2, 4, 13, 50])
def test_one_failure_shows_nothing_in_however_small_a_match(games: int) -> None:
    assert not fails_too_often(1, games)


@pytest.mark.parametrize(("failed", "games"), [(2, 2), (4, 20), (12, 200), (60, 3000)])
def test_a_side_that_keeps_failing_is_found(failed: int, games: int) -> None:
    assert fails_too_often(failed, games)


@pytest.mark.parametrize(("failed", "games"), [(0, 0), (0, 1000), (10, 1000), (2, 100), (30, 3000)])
def test_a_share_about_the_limit_is_not(failed: int, games: int) -> None:
    assert not fails_too_often(failed, games)


def test_looked_at_after_every_game_a_side_at_the_limit_is_hardly_ever_blamed() -> None:
    chance, blamed, runs = random.Random(1), 0, 300
    for _ in range(runs):
        failed = 0
        for games in range(1, 301):
            failed += chance.random() < FAILURE_LIMIT
            if fails_too_often(failed, games):
                blamed += 1
                break
    assert blamed <= runs * ERROR_RATE + 4
