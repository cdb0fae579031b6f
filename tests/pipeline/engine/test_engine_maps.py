"""Maps against the recorded games: what is fixed must be equal, what is drawn must have the same shape."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from vector_files import first_state, records, turns

from pipeline.engine import Game
from pipeline.engine.map_names import MAPS

GAMES = [record for record in records("hazardmaps.jsonl.gz") if record["map"] in MAPS]
STILL = {
    "hz_inner_wall", "hz_rings", "hz_columns", "hz_castle_wall", "hz_castle_wall_lg", "hz_castle_wall_xl",
    "hz_rivers_bridges", "hz_rivers_bridges_lg", "hz_rivers_bridges_xl", "hz_islands_bridges",
    "hz_islands_bridges_lg", "arcade_maze",
}  # fmt: skip
BY_STATE = {"snail_mode", "sinkholes", "hz_hazard_pits"}
GROWING = {"hz_spiral", "hz_scatter", "hz_grow_box", "hz_expand_box", "hz_expand_scatter"}


def fresh(record: dict[str, Any], seed: int) -> Game:
    ids = [f"s{index}" for index in range(record["n"])]
    return Game.new(record["w"], record["h"], ids, record["ruleset"], record["map"], record["settings"], seed=seed)


def of(*maps: str) -> Iterator[dict[str, Any]]:
    return (record for record in GAMES if record["map"] in maps)


def test_every_recorded_map_is_played() -> None:
    assert {record["map"] for record in records("hazardmaps.jsonl.gz")} == {record["map"] for record in GAMES}


@pytest.mark.parametrize("name", sorted(STILL))
def test_still_maps_begin_as_recorded(name: str) -> None:
    starts: dict[int, set[tuple[int, int]]] = {}
    for record in of(name):
        recorded = first_state(record)
        for seed in range(60):
            state = fresh(record, seed).to_state()
            assert sorted(state["hazards"]) == sorted(recorded["hazards"])
            assert len(state["food"]) == len(recorded["food"])
            starts.setdefault(record["n"], set()).update(tuple(s["body"][0]) for s in state["snakes"])
        heads = {tuple(snake["body"][0]) for snake in recorded["snakes"]}
        assert heads <= starts[record["n"]]


@pytest.mark.parametrize("name", sorted(BY_STATE))
def test_hazards_that_follow_from_the_state_are_exact(name: str) -> None:
    """No food is drawn, so a turn played by the map must leave exactly the recorded hazards."""
    changed = 0
    for record in of(name):
        calm = dict(record["settings"]) | {"foodSpawnChance": 0, "minimumFood": 0}
        before = first_state(record)
        for turn in turns(record):
            game = Game.from_state(before, record["ruleset"], calm, record["solo"], map_id=name)
            game.step(turn.moves)
            assert sorted(game.to_state()["hazards"]) == sorted(turn.after["hazards"]), record["id"]
            changed += before["hazards"] != turn.after["hazards"]
            before = turn.after
    assert changed > 20


@pytest.mark.parametrize("name", sorted(GROWING))
def test_growing_hazards_come_on_the_recorded_turns(name: str) -> None:
    """Turns on which hazards may be added, and how many at most, whatever the point they grow around."""
    for record in of(name):
        growth: dict[int, int] = {}
        before = len(record["init"]["z"]) // 2
        for turn in turns(record):
            after = len(turn.after["hazards"])
            if after != before:
                growth[turn.after["turn"]] = after - before
            before = after
        ours: set[int] = set()
        for seed in range(25):
            game = fresh(record, seed)
            count = 0
            for _ in range(max(growth, default=0)):
                game.step(dict.fromkeys(game.living(), "up"))
                now = len(game.to_state()["hazards"])
                if now != count:
                    ours.add(game.turn)
                count = now
        assert set(growth) <= ours
        assert (
            len(ours)
            <= max(growth, default=0) / {"hz_spiral": 3, "hz_grow_box": 12, "hz_expand_box": 20}.get(name, 2) + 1
        )


def test_scattered_hazards_fill_the_board_once() -> None:
    for name in ("hz_scatter", "hz_expand_scatter", "hz_spiral", "hz_grow_box", "hz_expand_box"):
        game = Game.new(7, 7, ["a"], map_id=name, settings={"damagePerTurn": 0, "minimumFood": 0}, seed=5)
        for _ in range(1200):
            game.step(dict.fromkeys(game.living(), "up"))
        hazards = game.to_state()["hazards"]
        assert sorted(hazards) == [[x, y] for x in range(7) for y in range(7)], name


def test_pools_are_recorded_arrangements_and_drain() -> None:
    for size in (7, 11, 19):
        recorded = {
            tuple(sorted(map(tuple, first_state(record)["hazards"])))
            for record in of("healing_pools")
            if record["w"] == size
        }
        ours = set()
        for seed in range(40):
            game = Game.new(
                size, size, ["a", "b"], map_id="healing_pools", seed=seed, settings={"shrinkEveryNTurns": 2}
            )
            pools = game.to_state()["hazards"]
            ours.add(tuple(sorted(map(tuple, pools))))
            for turn in range(1, 14):
                game.step(dict.fromkeys(game.living(), "up"))
                gone = max(0, (turn - 1) // 2)
                assert len(game.to_state()["hazards"]) == max(0, len(pools) - gone)
        assert recorded <= ours
        assert len(ours) == {7: 1, 11: 4, 19: 2}[size]


@pytest.mark.parametrize(("ruleset", "map_id"), [("royale", "standard"), ("standard", "royale"), ("royale", "royale")])
def test_royale_leaves_a_rectangle_that_only_shrinks(ruleset: str, map_id: str) -> None:
    game = Game.new(11, 7, ["a", "b"], ruleset, map_id, {"shrinkEveryNTurns": 3, "damagePerTurn": 0}, seed=12)
    before: set[tuple[int, int]] = set()
    for turn in range(1, 70):
        game.step(dict.fromkeys(game.living(), "up"))
        hazards = game.to_state()["hazards"]
        now = {(x, y) for x, y in hazards}
        assert len(now) == len(hazards)
        assert before <= now
        free = {(x, y) for x in range(11) for y in range(7)} - now
        if free:
            xs, ys = {x for x, _ in free}, {y for _, y in free}
            assert len(free) == len(xs) * len(ys)
            assert (11 - len(xs)) + (7 - len(ys)) == turn // 3
        before = now
        if game.is_over():
            break


def test_castle_food_keeps_its_rules() -> None:
    for seed in range(20):
        game = Game.new(11, 11, ["a", "b"], map_id="hz_castle_wall", seed=seed)
        spots = {(2, 5), (5, 2), (5, 8), (8, 5)}
        assert game.to_state()["food"] == []
        for turn in range(1, 40):
            game.step({name: ["up", "left", "down", "right"][turn % 4] for name in game.living()})
            food = {tuple(cell) for cell in game.to_state()["food"]}
            assert food <= spots
            assert len(food) <= 2
            assert turn > 10 or not food


OFFICIAL_WALLS = """
 0 53 37 37 62  0  0
 0 18 14 14 21  0  0
18 52 53 51 63 42 54
15 43 44 45 52 33 37
14 43 42 44 53 32 37
19 53 52 51 64 43 55
 0 18 15 15 20  0  0
"""
"""Percent of 4,000 official mazes of level 0 on 11x11 in which a cell is a wall; top row first."""
OFFICIAL_HAZARDS = (76.48, 68.57, 58.50, 59.44)
"""Mean number of hazards of the official mazes of levels 0 to 3 on 11x11, the bottom row's included."""


def test_mazes_have_the_official_walls() -> None:
    walls, games = np.zeros((7, 7)), 1500
    for seed in range(games):
        state = Game.new(11, 11, ["a"], map_id="solo_maze", seed=seed * 7919 + 1).to_state()
        assert state["snakes"][0]["body"] == [[2, 2], [2, 1], [2, 1]]
        (food,) = state["food"]
        assert food not in state["hazards"]
        assert abs(food[0] - 2) + abs(food[1] - 2) >= 3
        for x, y in state["hazards"]:
            if 2 <= x <= 8 and 2 <= y <= 8:
                walls[8 - y, x - 2] += 1
            else:
                assert y > 0
    official = np.array([line.split() for line in OFFICIAL_WALLS.split("\n") if line], float)
    assert np.abs(100 * walls / games - official).max() < 6


def test_a_maze_eaten_empty_grows_and_puts_the_snake_back() -> None:
    counts: list[list[int]] = [[], [], [], []]
    for seed in range(500):
        game = Game.new(11, 11, ["a"], map_id="solo_maze", settings={"damagePerTurn": 0}, seed=seed * 7919 + 1)
        for level in range(4):
            state = game.to_state()
            bits = [[x, 0] in state["hazards"] for x in range(11)]
            assert int("".join(str(int(bit)) for bit in bits), 2) == level
            corner = [[2, 2], [1, 1], [1, 1], [1, 1]][level]
            tail = [corner[0], corner[1] - 1]
            assert state["snakes"][0] == {"id": "a", "health": 100, "body": [corner] + [tail] * (level + 2)}
            counts[level].append(len(state["hazards"]))
            # The same position with its food gone: the map sees that and draws the next level.
            eaten = state | {"food": []}
            game = Game.from_state(eaten, settings={"damagePerTurn": 0}, solo=True, map_id="solo_maze", seed=seed)
            game.step({"a": "up"})
    assert np.abs(np.array(counts).mean(1) - OFFICIAL_HAZARDS).max() < 0.5
