"""The floods: two forms, the same numbers; and what they tell of positions that can be counted by hand."""

import numpy as np
import pytest
import torch

from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observations
from pipeline.engine.planes import CHANNELS
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.kinds import VORONOI
from pipeline.engine.players.mind import make_mind
from pipeline.environment.vector import VectorEnvironment
from pipeline.evolution.batches import to_tensors
from pipeline.evolution.territory_features import territory_features
from pipeline.evolution.territory_tensors import REPLIES, territory_features_by_tensors


def _boards(snakes: int, turns: int, games: int = 12) -> torch.Tensor:
    environment = VectorEnvironment(games, GameSpec(snakes=snakes))
    environment.reset(7)
    kinds, mind = np.full((games, snakes), VORONOI, np.uint8), make_mind()
    for _ in range(turns):
        moves = environment.batch.actions
        choose_in_batch(mind, environment.batch.records, kinds, moves)
        environment.step(moves)
    seen = environment.living
    rows = Observations(
        environment.planes[seen], environment.features[seen], environment.context[seen], environment.symmetries[seen]
    )
    return to_tensors(rows).board_state


@pytest.mark.parametrize(("snakes", "turns", "steps"), [(2, 0, 16), (2, 70, 16), (4, 40, 5), (4, 90, 20), (3, 60, 2)])
def test_both_forms_tell_the_same(snakes: int, turns: int, steps: int) -> None:
    boards = _boards(snakes, turns)
    for compiled, ordinary in zip(
        territory_features(boards, steps), territory_features_by_tensors(boards, steps), strict=True
    ):
        assert torch.equal(compiled, ordinary)


def _empty_board() -> torch.Tensor:
    board = torch.zeros(1, len(CHANNELS), 11, 11)
    board[:, 0] = 1
    return board


def _put(board: torch.Tensor, name: str, x: int, y: int, value: float) -> None:
    board[0, CHANNELS.index(name), y, x] = value


def test_the_longer_snake_takes_what_both_reach_at_once() -> None:
    board = _empty_board()
    _put(board, "my_head", 0, 5, 1.0)
    _put(board, "my_body", 0, 5, 30 / 32)
    _put(board, "other_heads", 10, 5, 1.0)
    _put(board, "other_bodies", 10, 5, 31 / 32)
    _put(board, "other_lengths", 10, 5, 31 / 32)
    _put(board, "stronger_heads", 10, 5, 2 / 32)
    _put(board, "food", 1, 5, 1.0)
    told = territory_features(board, 16).told[0]
    both = told[_pair("right", "right"), _pair("left", "left")]
    # We walk towards each other: five columns are mine, and the middle one is the longer one's; old heads stay shut.
    assert both[0] == 0
    assert round(float(both[1] * 121)) == 54
    assert round(float(both[2] * 121)) == 65
    assert both[6] == 1, "food on the next cell is reached at once"


def test_a_pair_that_leaves_the_board_or_enters_a_body_is_not_open() -> None:
    board = _facing("stronger_heads")
    found = territory_features(board, 8)
    assert found.mine[0, _pair("right", "left")] == 0, "back onto my own body"
    assert found.mine[0, _pair("right", "right")] == 0, "onto the other head, whose body stays"
    assert found.mine[0, _pair("right", "up")] == 1
    assert found.replies[0, REPLIES - 1] == 1
    assert not found.told[0, _pair("right", "left")].any()
    edge = _empty_board()
    _put(edge, "my_head", 0, 0, 1.0)
    _put(edge, "my_body", 0, 0, 3 / 32)
    assert territory_features(edge, 8).mine[0].nonzero().flatten().tolist() == [
        _pair(*ways) for ways in (("up", "up"), ("up", "right"), ("right", "up"), ("right", "right"))
    ]


@pytest.mark.parametrize(("heads", "verdict"), [("stronger_heads", -1), ("weaker_heads", 1)])
def test_meeting_a_head_is_lost_or_won(heads: str, verdict: int) -> None:
    told = territory_features(_facing(heads), 16).told[0]
    met = told[_pair("right", "up"), _pair("left", "up")]
    assert met[0] == verdict, "both to the cell between us"
    assert (met[1] > 0) == (verdict > 0)
    assert told[_pair("up", "up"), _pair("left", "up"), 0] == 0
    behind = told[_pair("up", "right"), _pair("left", "up")]
    assert behind[0] == verdict, "both to the cell above that one, a turn later"


def test_running_into_the_cell_left_behind_kills_whoever_does_it() -> None:
    told = territory_features(_facing("weaker_heads"), 16).told[0]
    assert told[_pair("up", "up"), _pair("up", "left"), 0] == 0
    board = _facing("weaker_heads", gap=3)
    told = territory_features(board, 16).told[0]
    assert told[_pair("right", "right"), _pair("left", "up"), 0] == -1, "the weaker one's head was there before mine"
    assert told[_pair("right", "up"), _pair("left", "left"), 0] == 1


def _pair(first: str, second: str) -> int:
    ways = ("up", "down", "left", "right")
    return 4 * ways.index(first) + ways.index(second)


def _facing(heads: str, gap: int = 2) -> torch.Tensor:
    """My head at (4, 5), another on the same row; neither body leaves soon."""
    board = _empty_board()
    _put(board, "my_head", 4, 5, 1.0)
    _put(board, "my_body", 4, 5, 9 / 32)
    _put(board, "other_heads", 4 + gap, 5, 1.0)
    _put(board, "other_bodies", 4 + gap, 5, 9 / 32)
    _put(board, heads, 4 + gap, 5, 1 / 32)
    return board
