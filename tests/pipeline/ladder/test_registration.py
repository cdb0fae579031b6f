"""What a snake is held to: each game in one band, and no band so small that it says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.intervals import wilson
from pipeline.ladder.standing import LEAST_GAMES, Result, bands_of

RESULTS = st.lists(
    st.builds(
        Result,
        opponents=st.sampled_from([1, 1, 1, 3]),
        rating=st.none() | st.integers(-20, 300).map(lambda number: number / 10),
        score=st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=300,
)


@given(found=RESULTS)
def test_each_game_falls_into_one_band_which_counts_it(found: list[Result]) -> None:
    bands = bands_of(found)
    assert sum(band.games for band in bands) == len(found)
    assert sum(band.score for band in bands) == sum(result.score for result in found)
    for result in found:
        assert sum(band.holds(result.opponents, result.rating) for band in bands) == 1
    for band in bands:
        assert (band.low, band.high) == wilson(band.score, band.games)
        assert band.low <= band.win_rate <= band.high


@pytest.mark.parametrize(("games", "parts"), [(49, 1), (50, 2), (124, 4), (1000, 5)])
def test_ratings_that_differ_are_cut_into_equal_parts(games: int, parts: int) -> None:
    found = [Result(1, number / 7, float(number % 2)) for number in range(games)]
    bands = bands_of(found)
    assert len(bands) == parts
    if parts > 1:
        assert min(band.games for band in bands) >= LEAST_GAMES
        assert max(band.games for band in bands) - min(band.games for band in bands) <= 1
    assert all(band.rating_from is None or band.rating_from > 0 for band in bands)


def test_opponents_of_one_rating_are_one_band() -> None:
    assert len(bands_of([Result(1, 5.0, 1.0)] * 200)) == 1
