"""What the network is shown through a request is what the encoder writes for the same position in a game."""

import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from battlesnake_requests import ME, OTHER, STANDARD, cells, request, snake

from pipeline.engine.symmetry import IDENTITY
from pipeline.serve.policy import fallback_move
from pipeline.serve.request_decoding import EncoderSessions, legal_moves, read_move_request
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
    sessions, seen = EncoderSessions(), 0
    for body, seats, row in golden_requests():
        asked = read_move_request(body, seats)
        rows = sessions.session_for(asked).observe(asked)
        assert rows.planes.tobytes().hex() == row["planes"]
        assert rows.features.tobytes().hex() == row["features"]
        assert rows.context.tobytes().hex() == row["context"]
        seen += 1
    assert seen > 60


def test_a_desk_forgets_the_position_before():
    sessions = EncoderSessions()
    crowded = request([ME, OTHER, snake("third", [(1, 1), (1, 2), (1, 3)])], food=[(0, 0), (8, 8)])
    plain = request([ME, OTHER])
    first = sessions.session_for(read_move_request(plain, 2)).observe(read_move_request(plain, 2))
    sessions.session_for(read_move_request(crowded, 4)).observe(read_move_request(crowded, 4))
    again = sessions.session_for(read_move_request(plain, 2)).observe(read_move_request(plain, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_heuristic_runs_for_food_when_it_starves():
    starving = request([snake("me", [(5, 5), (5, 4), (5, 3)], health=1), OTHER], food=[(4, 5)])
    asked = read_move_request(starving, 2)
    assert EncoderSessions().session_for(asked).heuristic_move(asked) == 2


def test_many_kinds_of_board_are_answered_and_not_all_kept():
    sessions = EncoderSessions()
    for width, height in itertools.product(range(7, 12), repeat=2):
        asked = read_move_request(request([snake("me", [(2, 2), (2, 1), (2, 0)])], size=(width, height)), 1)
        assert sessions.session_for(asked).observe(asked).context[0, 3:5].tolist() == [width, height]
    assert len(sessions._sessions) == 16


def test_a_snake_that_is_not_there_and_bodies_that_cannot_be_are_refused():
    with pytest.raises(GameStateError, match=r"you\.id"):
        read_move_request(request([OTHER]), 2)
    with pytest.raises(GameStateError, match="not next to"):
        read_move_request(request([snake("me", [(5, 5), (7, 7)]), OTHER]), 2)


def test_boards_beyond_the_frame_are_read_but_not_observed():
    asked = read_move_request(request([ME, OTHER], size=(19, 19)), 2)
    session = EncoderSessions().session_for(asked)
    assert not asked.fits
    assert session.heuristic_move(asked) in range(4)
    with pytest.raises(GameStateError, match="does not fit"):
        session.observe(asked)


def test_all_moves_are_legal_where_none_is():
    cornered = snake("me", [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (3, 0)])
    asked = read_move_request(request([cornered, OTHER]), 2)
    rows = EncoderSessions().session_for(asked).observe(asked)
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
    assert fallback_move(request([snake("me", body)], size=size)) == move


def test_settings_left_out_have_the_official_defaults():
    bare = request([ME, OTHER])
    full = read_move_request(bare, 2)
    del bare["game"]["ruleset"]["settings"]
    assert read_move_request(bare, 2).settings == full.settings
    assert STANDARD["hazardDamagePerTurn"] == full.settings.damagePerTurn
