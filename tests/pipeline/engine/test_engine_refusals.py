"""States, settings and turns that cannot be are refused with the field's name, before compiled code sees them."""

import copy
from typing import Any

import pytest

from pipeline.engine import Batch, Game, GameSpec
from pipeline.engine.game import MissingMoveError, ShrinkError, ZeroLengthSnakeError
from pipeline.engine.game_spec import UnknownRulesetError
from pipeline.engine.map_names import UnknownMapError
from pipeline.engine.new_game import SetUpError
from schemas.errors import GameStateError


def good_state() -> dict[str, Any]:
    return {
        "turn": 4,
        "width": 7,
        "height": 5,
        "food": [[0, 0]],
        "hazards": [[1, 1], [1, 1]],
        "snakes": [
            {"id": "a", "health": 90, "body": [[2, 2], [2, 3], [2, 4]]},
            {"id": "b", "health": 1, "body": [[4, 2], [4, 3], [4, 3]]},
        ],
    }


BAD: list[tuple[str, list[Any], Any]] = [
    ("snakes[1].body[1]", ["snakes", 1, "body"], [[3, 3], [2, 3], [2, 4]]),
    ("snakes[0].body[2]", ["snakes", 0, "body"], [[2, 2], [2, 3], [2, 2]]),
    ("snakes[0].body[1]", ["snakes", 0, "body"], [[2, 2], [2, 2], [2, 3]]),
    ("snakes[0].body[1]", ["snakes", 0, "body"], [[2, 2], [3, 3], [3, 4]]),
    ("snakes[0].body[1]", ["snakes", 0, "body"], [[0, 2], [6, 2], [5, 2]]),
    ("snakes[0].body[0].x", ["snakes", 0, "body"], [[7, 2], [6, 2], [5, 2]]),
    ("snakes[0].body[0].y", ["snakes", 0, "body"], [[2, -1], [2, 0], [2, 1]]),
    ("snakes[0].body[0].x", ["snakes", 0, "body"], [[2**63 - 1, 2]]),
    ("snakes[0].body[0].y", ["snakes", 0, "body"], [[2, -(2**63)]]),
    ("snakes[0].body[0].x", ["snakes", 0, "body"], [[2.0, 2]]),
    ("snakes[0].body[0]", ["snakes", 0, "body"], [[2, 2, 2]]),
    ("snakes[0].body", ["snakes", 0, "body"], "here"),
    ("snakes[0].body", ["snakes", 0, "body"], [[2, 2]] * 200),
    ("snakes[0].health", ["snakes", 0, "health"], 0),
    ("snakes[0].health", ["snakes", 0, "health"], 101),
    ("snakes[0].health", ["snakes", 0, "health"], True),
    ("snakes[1].id", ["snakes", 1, "id"], "a"),
    ("snakes[1].id", ["snakes", 1, "id"], ""),
    ("snakes[1].id", ["snakes", 1, "id"], 3),
    ("snakes[1].cause", ["snakes", 1, "cause"], "boredom"),
    ("snakes[1].length", ["snakes", 1, "length"], 3),
    ("snakes", ["snakes"], [{"id": str(i), "health": 1, "body": []} for i in range(17)]),
    ("food", ["food"], [[0, 0], [0, 0]]),
    ("food[0].x", ["food"], [[7, 0]]),
    ("food[0].y", ["food"], [[0, 2**62]]),
    ("food[1]", ["food"], [[0, 0], None]),
    ("hazards[0].x", ["hazards"], [[-9, 0]]),
    ("hazards[0].y", ["hazards"], [[0, 2**63]]),
    ("hazards", ["hazards"], [[0, 0]] * 256),
    ("width", ["width"], 26),
    ("width", ["width"], -1),
    ("height", ["height"], 1000),
    ("turn", ["turn"], -1),
    ("turn", ["turn"], 2**63),
    ("ruleset", ["ruleset"], "standard"),
]


@pytest.mark.parametrize(("field", "path", "value"), BAD, ids=[f"{i}-{b[0]}" for i, b in enumerate(BAD)])
def test_a_broken_state_names_its_field(field: str, path: list[Any], value: Any) -> None:
    state = good_state()
    Game.from_state(copy.deepcopy(state))
    target: Any = state
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(GameStateError) as caught:
        Game.from_state(state)
    assert caught.value.where == field


@pytest.mark.parametrize("field", ["turn", "width", "food", "hazards", "snakes"])
def test_a_missing_field_is_named(field: str) -> None:
    state = good_state()
    del state[field]
    with pytest.raises(GameStateError) as caught:
        Game.from_state(state)
    assert caught.value.where == field


def test_a_body_may_cross_the_edge_only_where_that_is_wrapped() -> None:
    state = good_state()
    state["snakes"][0]["body"] = [[0, 2], [6, 2], [5, 2]]
    game = Game.from_state(state, "wrapped")
    game.step({"a": "?", "b": "up"}, food=[])
    assert game.to_state()["snakes"][0]["body"] == [[1, 2], [0, 2], [6, 2]]


def test_turns_that_the_engine_refuses_change_nothing() -> None:
    game = Game.from_state(good_state())
    before = game.to_state()
    with pytest.raises(MissingMoveError, match="move not provided for snake"):
        game.step({"a": "up", "nobody": "up"})
    with pytest.raises(GameStateError) as caught:
        game.step({"a": "up", "b": "up"}, food=[[9, 9]])
    assert caught.value.where == "food[0].x"
    with pytest.raises(GameStateError, match="already food"):
        game.step({"a": "up", "b": "up"}, food=[[0, 0]])
    assert game.to_state() == before
    empty = good_state()
    empty["snakes"][1]["body"] = []
    with pytest.raises(ZeroLengthSnakeError, match="snake is length zero"):
        Game.from_state(empty).step({"a": "up", "b": "up"})
    royale = Game.from_state(good_state(), "royale", {"shrinkEveryNTurns": 0})
    with pytest.raises(ShrinkError, match="can't shrink"):
        royale.step({"a": "up", "b": "up"})


def test_what_cannot_be_set_up_is_refused() -> None:
    with pytest.raises(UnknownMapError, match=r"solo_mace.*standard"):
        Game.new(11, 11, ["a"], map_id="solo_mace")
    with pytest.raises(SetUpError, match="at most 1"):
        Game.new(11, 11, ["a", "b"], map_id="solo_maze")
    with pytest.raises(UnknownRulesetError, match=r"standrad.*standard"):
        Game.new(11, 11, ["a"], ruleset="standrad")
    for size in ((2, 11), (11, 26)):
        with pytest.raises(GameStateError, match=r"not within 3\.\.25"):
            Game.new(*size, ["a"])
    with pytest.raises(GameStateError, match="no id of its own"):
        Game.new(11, 11, ["a", "a"])
    with pytest.raises(GameStateError, match="unknown setting"):
        Game.new(11, 11, ["a"], settings={"hazardDamagePerTurn": 3})
    with pytest.raises(SetUpError, match="11x11"):
        Game.new(7, 7, ["a"], map_id="hz_hazard_pits")
    with pytest.raises(SetUpError, match="at most 4"):
        Batch([GameSpec(11, 11, 5, map_id="hz_hazard_pits")])
    with pytest.raises(SetUpError, match="no room"):
        Batch.uniform(2, GameSpec(3, 3, 6)).reset(1)
    with pytest.raises(GameStateError, match="seeds"):
        Batch.uniform(2, GameSpec()).reset([1])
    with pytest.raises(GameStateError, match="slot"):
        Batch.uniform(1, GameSpec(7, 7, 2)).load_state(0, good_state())
