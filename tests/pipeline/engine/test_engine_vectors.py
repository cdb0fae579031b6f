"""Every open vector, turn by turn, through the single game and through batches."""

import json
from typing import Any

import numpy as np
import pytest
from vector_files import FILES, FOLDER, first_state, records, turns

from pipeline.engine import Batch, Game, GameSpec
from schemas.errors import GameStateError


@pytest.mark.parametrize("name", FILES)
def test_single_games_replay_exactly(name: str) -> None:
    for record in records(name):
        state = first_state(record)
        game = Game.from_state(state, record["ruleset"], record["settings"], record["solo"])
        assert game.to_state() == state, record["id"]
        for turn in turns(record):
            game.step(turn.moves, food=turn.new_food, hazards=turn.after["hazards"])
            assert game.to_state() == turn.after, record["id"]
        ids = game.snake_ids
        assert game.is_over() == record["end"]["over"], record["id"]
        assert game.living() == [ids[index] for index in record["end"]["alive"]], record["id"]
        alone = game.is_over() and len(game.living()) == 1
        assert game.winner() == (game.living()[0] if alone else None)


def spec_of(record: dict[str, Any]) -> GameSpec:
    return GameSpec(
        record["w"],
        record["h"],
        record["n"],
        record["ruleset"],
        "standard",
        dict(record["settings"]),
        record["solo"],
    )


@pytest.mark.parametrize("name", FILES)
def test_batches_of_mixed_games_replay_exactly(name: str) -> None:
    """All games of a file side by side: sizes, numbers of snakes, rulesets and lengths mixed as they come."""
    games = [record for record in records(name) if min(record["w"], record["h"]) >= 3]  # what can be set up
    batch = Batch([spec_of(record) for record in games], auto_reset=False, corpses=True)
    for slot, record in enumerate(games):
        batch.load_state(slot, first_state(record))
    waiting = [turns(record) for record in games]
    actions = np.zeros_like(batch.actions)
    letters = {"up": 0, "down": 1, "left": 2, "right": 3}
    live = set(range(len(games)))
    while live:
        played = {}
        for slot in sorted(live):
            turn = next(waiting[slot], None)
            if turn is None:
                live.discard(slot)
                continue
            played[slot] = turn
            actions[slot] = 0
            for name_of, move in turn.moves.items():
                actions[slot, int(name_of[1:])] = letters.get(move, 77)
        batch.replay_turn(actions, {slot: (turn.new_food, turn.after["hazards"]) for slot, turn in played.items()})
        for slot, turn in played.items():
            got = batch.state_of(slot)
            assert sorted(got.pop("hazards")) == sorted(
                cell for cell in turn.after["hazards"] if cell[1] <= turn.after["height"]
            )
            for key in ("turn", "width", "height", "food"):
                assert got[key] == turn.after[key], games[slot]["id"]
            check_snakes(got["snakes"], turn.after["snakes"], games[slot])


def check_snakes(got: list[dict[str, Any]], want: list[dict[str, Any]], record: dict[str, Any]) -> None:
    dead_at_load = {event[0] for event in record["init"].get("e", [])}
    for index, (mine, theirs) in enumerate(zip(got, want, strict=True)):
        if index in dead_at_load:
            assert mine["cause"] == theirs["cause"]
        else:
            assert mine == theirs, record["id"]


def official_turns() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((FOLDER / "official_cases.json").read_text())["turns"]
    return cases


@pytest.mark.parametrize("case", official_turns(), ids=lambda case: str(case["test"]))
def test_official_turns(case: dict[str, Any]) -> None:
    game = Game.from_state(case["before"], case["ruleset"], case["settings"], case["solo"])
    assert game.to_state() == case["before"]
    assert game.is_over() == case["ended"]
    if case["error"]:
        with pytest.raises(GameStateError, match=case["error"]):
            game.step(dict(case["moves"]))
        assert game.to_state() == case["before"]
        return
    game.step(dict(case["moves"]), food=[], hazards=case["after"]["hazards"])
    assert game.to_state() == case["after"] | {"turn": case["before"]["turn"] + 1}
