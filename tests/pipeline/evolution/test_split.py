"""Validation by game."""

import numpy as np
import pytest
from played_positions import changed, played_positions

from pipeline.evolution.split import split_by_game
from schemas.errors import DataError


def test_no_game_is_on_both_sides() -> None:
    positions = played_positions(300, games=20)
    training, validation = split_by_game(positions, 0.25, seed=3)
    assert not set(training.game) & set(validation.game)
    assert len(training) + len(validation) == 300
    assert len(set(validation.game)) == 5
    again = split_by_game(positions, 0.25, seed=3)[1]
    assert (again.game == validation.game).all() and (again.planes == validation.planes).all()
    assert set(split_by_game(positions, 0.25, seed=4)[1].game) != set(validation.game)


def test_both_sides_have_a_game_however_small_the_share() -> None:
    positions = played_positions(60, games=4)
    for share in (0.001, 0.89):
        training, validation = split_by_game(positions, share, seed=0)
        assert len(training) and len(validation)


def test_one_game_cannot_be_divided() -> None:
    positions = changed(played_positions(20), game=np.zeros(20, np.int64))
    with pytest.raises(DataError, match="1 game"):
        split_by_game(positions, 0.5, seed=0)
