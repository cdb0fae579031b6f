"""The floods: two forms, the same numbers; and what they tell of positions that can be counted by hand."""

import numpy as np
import pytest
import torch

from pipeline.engine.batch import GameSpec
from pipeline.engine.observe import Observations
from pipeline.engine.planes import CHANNELS
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.kinds import VORONOI
from pipeline.engine.players.mind import make_mind
from pipeline.environment.vector import VectorEnvironment
from pipeline.evolution.ground import REPLIES, survey, survey_by_tensors
from pipeline.evolution.tensors import to_floats


def _boards(snakes: int, turns: int, games: int = 12) -> torch.Tensor:
    environment = VectorEnvironment(games, GameSpec(snakes=snakes))
    environment.reset(7)
    kinds, mind = np.full((games, snakes), VORONOI, np.uint8), make_mind()
    for _ in range(turns):
        moves = environment.batch.actions
        choose_in_batch(mind, *environment.batch.records[:3], kinds, moves)
        environment.step(moves)
    seen = environment.living
    rows = Observations(
        environment.planes[seen], environment.features[seen], environment.context[seen], environment.symmetries[seen]
    )
    return to_floats(rows).board_state


@pytest.mark.parametrize(("snakes", "turns", "steps"), [(2, 0, 16), (2, 70, 16), (4, 40, 5), (4, 90, 20), (3, 60, 1)])
def test_both_forms_tell_the_same(snakes: int, turns: int, steps: int) -> None:
    boards = _boards(snakes, turns)
    assert torch.equal(survey(boards, steps), survey_by_tensors(boards, steps))


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
    told = survey(board, 16)[0]
    ahead = told[3, 2]
    # We walk towards each other: five columns each, and the middle one is the longer one's; our old heads stay shut.
    assert ahead[0] == 1
    assert round(float(ahead[1] * 121)) == 54
    assert round(float(ahead[2] * 121)) == 65
    assert ahead[6] == 1, "food on the next cell is reached at once"
    assert torch.equal(told[2], torch.zeros(REPLIES, 8)), "the move into the wall is not open"


def test_meeting_a_stronger_head_leaves_me_nothing() -> None:
    board = _empty_board()
    _put(board, "my_head", 4, 5, 1.0)
    _put(board, "my_body", 4, 5, 3 / 32)
    _put(board, "other_heads", 6, 5, 1.0)
    _put(board, "other_bodies", 6, 5, 5 / 32)
    _put(board, "stronger_heads", 6, 5, 3 / 32)
    told = survey(board, 16)[0]
    assert told[3, 2, 1] == 0, "both to the cell between us"
    assert told[3, 0, 1] > 0
    assert told[3, 4, 1] > 0, "against anybody anywhere nothing is certain"
