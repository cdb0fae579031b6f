"""Random play never leaves the rules' invariants, and what is kept step by step equals what is built from scratch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Batch, GameSpec, layout
from pipeline.engine.layout import HEADER, RULESETS, SNAKE_FIELDS
from pipeline.engine.map_names import MAPS
from pipeline.engine.state_checks import read_state


@st.composite
def specs(draw: st.DrawFn) -> GameSpec:
    map_id = draw(st.sampled_from(sorted(MAPS)))
    limits = MAPS[map_id]
    if limits.boards:
        width, height = draw(st.sampled_from(limits.boards))
    else:
        width = draw(st.integers(max(limits.least_side, 4), 25))
        height = draw(st.one_of(st.just(width), st.integers(max(limits.least_side, 4), 25)))
    most = min(limits.most_snakes, 16 if min(width, height) >= 11 else (8 if min(width, height) >= 7 else 2))
    return GameSpec(
        width,
        height,
        draw(st.integers(1, most)),
        draw(st.sampled_from(sorted(RULESETS))),
        map_id,
        {
            "damagePerTurn": draw(st.sampled_from([-7, 0, 14, 100])),
            "foodSpawnChance": draw(st.integers(0, 100)),
            "minimumFood": draw(st.integers(0, 12)),
            "shrinkEveryNTurns": draw(st.integers(1, 30)),
        },
    )


def check_slot(batch: Batch, slot: int) -> None:
    """The state passes all checks, and loading it elsewhere gives the same grid, food and hazards."""
    spec = batch.specs[slot]
    state = batch.state_of(slot)
    on_board = [cell for cell in state["hazards"] if 0 <= cell[1] <= spec.height]
    read_state(state | {"hazards": on_board}, spec.rules())
    # A new level of the maze lays a body of its number and three on one cell, whatever the board holds.
    most = (state["turn"] if spec.map_id == "solo_maze" else spec.width * spec.height) + 3
    for snake in state["snakes"]:
        if "cause" not in snake:
            assert 3 <= len(snake["body"]) <= most
    twin = Batch([spec], corpses=True)
    twin.load_state(0, state | {"hazards": on_board})
    area = int(batch.records.fields[slot, layout.AREA])
    mine, theirs = batch.records.grid[slot, : 2 * area].copy(), twin.records.grid[0, : 2 * area].copy()
    for grid, fields in ((mine, batch.records.fields[slot]), (theirs, twin.records.fields[0])):
        for at in range(HEADER, HEADER + spec.snakes * SNAKE_FIELDS, SNAKE_FIELDS):
            if fields[at + layout.CAUSE] == 0:
                grid[fields[at + layout.HEAD]] &= 255 - (layout.DIRECTION_MASK << layout.DIRECTION_SHIFT)
        free = (grid[:area] & layout.OWNER) == 0
        grid[:area][free] &= layout.FOOD_BIT
    np.testing.assert_array_equal(mine, theirs)
    for field in (layout.ALIVE, layout.FOOD, layout.HAZARDS):
        assert batch.records.fields[slot, field] == twin.records.fields[0, field]


@settings(max_examples=60, deadline=None)
@given(st.lists(specs(), min_size=1, max_size=4), st.integers(0, 2**64 - 1), st.integers(1, 90))
def test_random_play_keeps_every_invariant(mixed: list[GameSpec], seed: int, turns: int) -> None:
    batch = Batch(mixed, auto_reset=False, corpses=True)
    batch.reset(seed)
    for slot in range(batch.games):
        check_slot(batch, slot)
    batch.play_random(turns)
    for slot in range(batch.games):
        check_slot(batch, slot)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**63), st.lists(st.integers(0, 255), min_size=4, max_size=4))
def test_any_byte_is_a_move(seed: int, moves: list[int]) -> None:
    batch = Batch.uniform(3, GameSpec(7, 7, 4), auto_reset=False, corpses=True)
    batch.reset(seed)
    for _ in range(12):
        batch.step(np.array([moves] * 3, np.uint8))
        for slot in range(3):
            check_slot(batch, slot)


def test_outcomes_tell_the_whole_end() -> None:
    batch = Batch.uniform(64, GameSpec(7, 7, 3), auto_reset=False, corpses=True)
    batch.reset(9)
    while batch.play_random(50):
        pass
    outcomes = batch.drain_outcomes()
    assert sorted(outcomes.slot) == list(range(64))
    for row, slot in enumerate(outcomes.slot):
        state = batch.state_of(int(slot))
        assert outcomes.turns[row] == state["turn"]
        for index, snake in enumerate(state["snakes"]):
            assert outcomes.died_on[row, index] == snake.get("on", 0)
            assert layout.CAUSE_WORDS[outcomes.cause[row, index]] == snake.get("cause", "")
            killer = outcomes.killer[row, index]
            assert snake.get("by", "") == ("" if killer < 0 else f"s{killer}")
            later = sum(
                outcomes.died_on[row, other] == 0 or outcomes.died_on[row, other] > outcomes.died_on[row, index]
                for other in range(3)
                if other != index
            )
            assert outcomes.rank[row, index] == 1 + (later if snake.get("cause") else 0)


def test_a_full_ring_stops_a_slot_without_losing_a_game() -> None:
    few = Batch.uniform(8, GameSpec(7, 7, 2), outcomes_per_slot=1)
    many = Batch.uniform(8, GameSpec(7, 7, 2), outcomes_per_slot=400)
    few.reset(3)
    many.reset(3)
    many.play_random(2000)
    seen: dict[int, list[int]] = {slot: [] for slot in range(8)}
    for _ in range(60):
        few.play_random(300)
        outcomes = few.drain_outcomes()
        for slot, seed in zip(outcomes.slot, outcomes.seed, strict=True):
            seen[int(slot)].append(int(seed))
    everything = many.drain_outcomes()
    for slot in range(8):
        seeds = everything.seed[everything.slot == slot].tolist()
        common = min(len(seeds), len(seen[slot]))
        assert common >= 5
        assert seen[slot][:common] == seeds[:common]


@pytest.mark.parametrize("limit", [1, 7])
def test_a_turn_limit_ends_games(limit: int) -> None:
    batch = Batch.uniform(4, GameSpec(snakes=2), auto_reset=False, turn_limit=limit)
    batch.reset(4)
    assert batch.play_random(50) == 4 * limit
    outcomes = batch.drain_outcomes()
    assert outcomes.turns.tolist() == [limit] * 4
    assert outcomes.rank.tolist() == [[1, 1]] * 4
