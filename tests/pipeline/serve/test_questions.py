"""What the network is shown through a request is what the encoder writes for the same position in a game."""

import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from battlesnake_requests import ME, OTHER, STANDARD, cells, request, snake

from pipeline.engine.symmetry import IDENTITY
from pipeline.serve.last_resort import any_safe_move
from pipeline.serve.questions import Desks, legal_moves, read_question
from schemas.errors import GameStateError

GOLDEN = Path(__file__).parents[2] / "golden" / "observations" / "positions.jsonl.gz"


def golden_requests():
    with gzip.open(GOLDEN) as file:
        for line in itertools.islice(file, 1, None):
            position = json.loads(line)
            if position["symmetry"] != IDENTITY:
                continue
            state, numbers = position["state"], position["settings"]
            living = [s for s in state["snakes"] if not s.get("cause")]
            snakes = [snake(s["id"], s["body"], s["health"]) for s in living]
            for row in position["rows"]:
                asked = request(
                    snakes,
                    state["snakes"][row["snake"]]["id"],
                    turn=state["turn"],
                    size=(state["width"], state["height"]),
                    ruleset=position["ruleset"],
                    food=state["food"],
                )
                asked["board"]["hazards"] = cells(state["hazards"])
                asked["game"]["map"] = position["map"]
                asked["game"]["ruleset"]["settings"] = {
                    "hazardDamagePerTurn": numbers["damagePerTurn"],
                    "foodSpawnChance": numbers["foodSpawnChance"],
                    "minimumFood": numbers["minimumFood"],
                    "royale": {"shrinkEveryNTurns": numbers["shrinkEveryNTurns"]},
                }
                yield asked, len(state["snakes"]), row


def test_rows_are_the_golden_ones_for_every_ruleset():
    desks, seen = Desks(), 0
    for asked, seats, row in golden_requests():
        question = read_question(asked, seats)
        rows = desks.desk_for(question).observe(question)
        assert rows.planes.tobytes().hex() == row["planes"]
        assert rows.features.tobytes().hex() == row["features"]
        assert rows.context.tobytes().hex() == row["context"]
        seen += 1
    assert seen > 60


def test_a_desk_forgets_the_position_before():
    desks = Desks()
    crowded = request([ME, OTHER, snake("third", [(1, 1), (1, 2), (1, 3)])], food=[(0, 0), (8, 8)])
    plain = request([ME, OTHER])
    first = desks.desk_for(read_question(plain, 2)).observe(read_question(plain, 2))
    desks.desk_for(read_question(crowded, 4)).observe(read_question(crowded, 4))
    again = desks.desk_for(read_question(plain, 2)).observe(read_question(plain, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_heuristic_runs_for_food_when_it_starves():
    starving = request([snake("me", [(5, 5), (5, 4), (5, 3)], health=1), OTHER], food=[(4, 5)])
    question = read_question(starving, 2)
    assert Desks().desk_for(question).heuristic_move(question) == 2


def test_many_kinds_of_board_are_answered_and_not_all_kept():
    desks = Desks()
    for width, height in itertools.product(range(7, 12), repeat=2):
        question = read_question(request([snake("me", [(2, 2), (2, 1), (2, 0)])], size=(width, height)), 1)
        assert desks.desk_for(question).observe(question).context[0, 3:5].tolist() == [width, height]
    assert len(desks._desks) == 16


def test_a_snake_that_is_not_there_and_bodies_that_cannot_be_are_refused():
    with pytest.raises(GameStateError, match=r"you\.id"):
        read_question(request([OTHER]), 2)
    with pytest.raises(GameStateError, match="not next to"):
        read_question(request([snake("me", [(5, 5), (7, 7)]), OTHER]), 2)


def test_boards_beyond_the_frame_are_read_but_not_observed():
    question = read_question(request([ME, OTHER], size=(19, 19)), 2)
    desk = Desks().desk_for(question)
    assert not question.fits
    assert desk.heuristic_move(question) in range(4)
    with pytest.raises(GameStateError, match="does not fit"):
        desk.observe(question)


def test_all_moves_are_legal_where_none_is():
    cornered = snake("me", [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (3, 0)])
    question = read_question(request([cornered, OTHER]), 2)
    rows = Desks().desk_for(question).observe(question)
    assert legal_moves(rows).tolist() == [[True] * 4]


@pytest.mark.parametrize(
    ("body", "size", "move"),
    [
        ([(0, 0), (0, 1), (0, 2)], (30, 30), 3),
        ([(29, 29), (28, 29), (27, 29)], (30, 30), 1),
        ([(0, 0), (1, 0), (1, 1), (0, 1)], (30, 30), 0),
    ],
)
def test_the_last_resort_avoids_walls_and_bodies(body, size, move):
    assert any_safe_move(request([snake("me", body)], size=size)) == move


def test_settings_left_out_have_the_official_defaults():
    bare = request([ME, OTHER])
    full = read_question(bare, 2)
    del bare["game"]["ruleset"]["settings"]
    assert read_question(bare, 2).settings == full.settings
    assert STANDARD["hazardDamagePerTurn"] == full.settings.damagePerTurn
