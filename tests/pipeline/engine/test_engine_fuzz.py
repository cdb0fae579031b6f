"""Whatever bytes and values a caller hands in, compiled code stays inside its arrays, and a refusal names the field.

`make checked` runs this file once more in a build whose every index is checked (NUMBA_BOUNDSCHECK=1).
"""

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Batch, Game, GameSpec, TapeReader
from pipeline.engine.layout import RULESETS
from pipeline.engine.map_names import MAPS
from pipeline.engine.tape import HEAD_BYTES
from schemas.errors import GameStateError

QUICK = settings(max_examples=60, deadline=None, database=None)
SPECS = (
    GameSpec(7, 7, 2, "wrapped", "snail_mode", {"damagePerTurn": 3}),
    GameSpec(9, 5, 3, "royale", "standard", {"shrinkEveryNTurns": 3}),
    GameSpec(11, 11, 6, "constrictor"),
    GameSpec(11, 11, 4, "standard", "hz_hazard_pits", {"shrinkEveryNTurns": 3}),
    GameSpec(25, 25, 16),
    GameSpec(3, 3, 2, "wrapped"),
)
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 30),
    st.floats(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
)
CELLS = st.lists(st.lists(st.integers(-3, 28), min_size=1, max_size=3), max_size=6)


def recorded(spec: GameSpec) -> bytes:
    batch = Batch([spec], auto_reset=False, tape_bytes=60_000, turn_limit=60)
    batch.reset([5])
    while batch.play_random(20):
        pass
    return batch.drain_outcomes().tapes[0]


TAPES = [recorded(spec) for spec in SPECS]


def refused(call: Any) -> str:
    """Make the call; return the field that a refusal names, "" where nothing was refused."""
    try:
        call()
    except GameStateError as error:
        assert error.where
        return error.where
    return ""


@settings(QUICK, max_examples=300)
@given(
    st.sampled_from(TAPES),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 900),
)
def test_a_damaged_tape_is_read_or_refused(tape: bytes, changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(tape[: length or None])
    for at, value in changes:
        if at < len(damaged):
            damaged[at] = value
    field = refused(lambda: list(TapeReader(bytes(damaged)).states()))
    assert field.startswith("tape") or not field


@pytest.mark.parametrize(
    ("at", "value", "field"),
    [
        (0, 9, "tape.format"),
        (1, 26, "tape.width, tape.height"),
        (2, 0, "tape.width, tape.height"),
        (3, 0, "tape.snakes"),
        (3, 255, "tape.snakes"),
        (4, 255, "tape.rules"),
        (5, 255, "tape.map"),
        (HEAD_BYTES, 250, "tape.start"),
        (HEAD_BYTES + 1, 250, "tape.start"),
        (HEAD_BYTES + 5, 250, "tape.food"),
    ],
)
def test_a_tape_names_what_is_wrong_with_it(at: int, value: int, field: str) -> None:
    tape = bytearray(TAPES[0])
    tape[at] = value
    assert refused(lambda: list(TapeReader(bytes(tape)).states())) == field


GOOD = {
    "turn": 4,
    "width": 7,
    "height": 5,
    "food": [[0, 0]],
    "hazards": [[1, 1], [1, 1]],
    "snakes": [
        {"id": "a", "health": 90, "body": [[2, 2], [2, 3], [2, 4]]},
        {"id": "b", "health": 1, "body": [[4, 2], [4, 3], [4, 3]]},
        {"id": "c", "health": 0, "body": [[0, 0]], "cause": "head-collision", "by": "a", "on": 3},
    ],
}
PLACES = [
    (),
    *((name,) for name in GOOD),
    *(("snakes", 0, name) for name in ("id", "health", "body")),
    ("snakes", 2, "by"),
]


@st.composite
def wild_states(draw: Any) -> Any:
    state: Any = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(PLACES))
        value = draw(st.one_of(ANYTHING, CELLS))
        if not place:
            state = draw(st.one_of(st.just(state), ANYTHING))
            continue
        target: Any = state
        try:
            for key in place[:-1]:
                target = target[key]
            target[place[-1]] = value
        except (TypeError, KeyError, IndexError):
            pass
    return state


@settings(QUICK, max_examples=250)
@given(
    wild_states(),
    st.sampled_from([*RULESETS, "other", None]),
    st.sampled_from([*MAPS, "other", 3]),
    st.one_of(st.none(), ANYTHING, st.dictionaries(st.sampled_from(["damagePerTurn", "minimumFood", "x"]), ANYTHING)),
    st.lists(
        st.tuples(
            st.one_of(st.fixed_dictionaries({"a": ANYTHING, "b": ANYTHING}), ANYTHING),
            st.one_of(st.none(), st.none(), CELLS, ANYTHING),
            st.one_of(st.none(), st.none(), CELLS, ANYTHING),
        ),
        max_size=6,
    ),
)
def test_states_settings_and_moves_are_played_or_refused(
    state: Any, ruleset: Any, map_id: Any, chosen: Any, turns: Any
) -> None:
    games: list[Game] = []
    if refused(lambda: games.append(Game.from_state(state, ruleset, chosen, map_id=map_id, seed=3))):
        return
    for moves, food, hazards in turns:
        refused(lambda m=moves, f=food, h=hazards: games[0].step(m, food=f, hazards=h))
        games[0].to_state()


@settings(QUICK, max_examples=150)
@given(
    *(st.one_of(st.integers(1, 26), ANYTHING) for _ in range(2)),
    st.one_of(st.lists(st.text(max_size=2), max_size=17, unique=True), ANYTHING),
    st.sampled_from([*RULESETS, "other"]),
    st.sampled_from([*MAPS]),
    st.one_of(st.integers(), ANYTHING),
)
def test_sizes_ids_and_seeds_are_played_or_refused(
    width: Any, height: Any, ids: Any, ruleset: str, map_id: str, seed: Any
) -> None:
    games: list[Game] = []
    if refused(lambda: games.append(Game.new(width, height, ids, ruleset, map_id, seed=seed))):
        return
    for _ in range(4):
        games[0].step(dict.fromkeys(games[0].living(), "left"))
    games[0].to_state()


OPTIONS = ("threads", "outcomes_per_slot", "turn_limit", "tape_bytes")


@QUICK
@given(
    st.lists(st.one_of(st.sampled_from(SPECS), ANYTHING), min_size=1, max_size=3), st.sampled_from(OPTIONS), ANYTHING
)
def test_specs_and_options_are_taken_or_refused(specs: Any, name: str, value: Any) -> None:
    wild = any(not isinstance(spec, GameSpec) for spec in specs)
    small = value if type(value) is not int or abs(value) < 40 else -abs(value)
    batches: list[Batch] = []
    if refused(lambda: batches.append(Batch(specs, **{"threads": 1, name: small if name != "threads" else 1}))):
        assert wild or type(small) is not int or small < 1
        return
    assert not wild
    assert refused(batches[0].step) == "batch"
    batches[0].reset(1)
    batches[0].play_random(30)


def arrays() -> Any:
    dtype = st.sampled_from([np.uint8, np.int64, np.float32, np.bool_, np.int8])
    shape = st.sampled_from([(6, 16), (6,), (), (6, 16, 2), (6, 17), (0,)])
    return st.builds(lambda d, s, v: np.full(s, v).astype(d), dtype, shape, st.integers(-3, 127))


@QUICK
@given(
    st.one_of(arrays(), ANYTHING), st.one_of(arrays(), ANYTHING), st.one_of(arrays(), ANYTHING), wild_states(), ANYTHING
)
def test_actions_slots_and_seeds_are_taken_or_refused(
    actions: Any, slots: Any, seeds: Any, state: Any, slot: Any
) -> None:
    batch = Batch(SPECS)
    batch.reset(3)
    assert refused(lambda: batch.step(actions)) in ("actions", "")
    assert refused(lambda: batch.begin_next(slots)) in ("slots", "")
    assert refused(lambda: batch.start(slots, seeds)).partition("[")[0] in ("slots", "seeds", "")
    refused(lambda: batch.reset(seeds))
    batch.reset(3)
    refused(lambda: batch.load_state(slot, state))
    assert refused(lambda: batch.state_of(slot)) in ("slots", "")
    assert refused(lambda: batch.play_random(slot if type(slot) is not int else slot % 50 - 10)) in ("turns", "")
    batch.play_random(20)


@settings(QUICK, max_examples=300)
@given(
    st.sampled_from(["fields", "grid", "clock"]),
    st.integers(0, 5),
    st.integers(0, 1200),
    st.integers(-(2**15), 2**15 - 1),
)
def test_records_of_another_run_are_played_or_refused(name: str, game: int, at: int, value: int) -> None:
    batch = Batch(SPECS)
    batch.reset(9)
    batch.play_random(9)
    given_arrays = {"fields": batch.records.fields, "grid": batch.records.grid, "clock": batch.records.clock}
    given_arrays = {key: array.copy() for key, array in given_arrays.items()}
    row = given_arrays[name][game]
    row[at % len(row)] = np.array(value).astype(row.dtype)
    resumed = Batch(SPECS)
    field = refused(lambda: resumed.load_records(**given_arrays))
    if not field:
        resumed.play_random(30)
        [resumed.state_of(slot) for slot in range(len(SPECS))]


def test_records_as_the_rules_leave_them_are_taken_whole() -> None:
    """A resumed run goes on as the one that stopped, whatever its games have come to."""
    stopped, resumed = Batch(SPECS * 6, outcomes_per_slot=90), Batch(SPECS * 6, outcomes_per_slot=90)
    stopped.reset(4)
    for _ in range(12):
        stopped.play_random(7)
        resumed.load_records(*stopped.records[:3])
        assert resumed.play_random(5) == stopped.play_random(5)
        for mine, theirs in zip(resumed.records[:3], stopped.records[:3], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_records_of_other_games_are_refused() -> None:
    batch, other = Batch(SPECS), Batch(SPECS[::-1])
    batch.reset(1)
    assert refused(lambda: other.load_records(*batch.records[:3])) == "fields"
    assert refused(lambda: Batch(SPECS[:2]).load_records(*batch.records[:3])) == "fields"
