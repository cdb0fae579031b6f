"""A tape rebuilds every state of its game exactly, and stays small."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Batch, GameSpec, TapeReader
from schemas.errors import GameStateError

SPECS = (
    GameSpec(11, 11, 4),
    GameSpec(7, 7, 2, "wrapped", "snail_mode", {"damagePerTurn": 3}),
    GameSpec(9, 5, 3, "royale", "standard", {"shrinkEveryNTurns": 3}),
    GameSpec(11, 11, 6, "constrictor"),
    GameSpec(7, 7, 5, "wrapped_constrictor", "empty"),
    GameSpec(11, 11, 2, "standard", "healing_pools", {"damagePerTurn": -5, "shrinkEveryNTurns": 5}),
    GameSpec(11, 11, 4, "wrapped", "hz_hazard_pits", {"shrinkEveryNTurns": 3}),
    GameSpec(25, 25, 16),
    GameSpec(7, 7, 1, "solo"),
)


def same(rebuilt: dict[str, Any], played: dict[str, Any]) -> None:
    assert rebuilt == played


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(SPECS), st.integers(-(2**63), 2**63 - 1))
def test_a_tape_rebuilds_every_state(spec: GameSpec, seed: int) -> None:
    batch = Batch([spec], auto_reset=False, corpses=True, tape_bytes=60_000, turn_limit=150)
    batch.reset([seed])
    played = [batch.state_of(0)]
    while batch.play_random(1):
        played.append(batch.state_of(0))
    outcomes = batch.drain_outcomes()
    (tape,) = outcomes.tapes
    reader = TapeReader(tape)
    assert reader.seed == outcomes.seed[0]
    rebuilt = list(reader.states())
    assert len(rebuilt) == len(played)
    for mine, theirs in zip(rebuilt, played, strict=True):
        same(mine, theirs)


def test_tapes_are_about_a_kilobyte_and_a_short_one_is_not_handed_out() -> None:
    batch = Batch.uniform(200, GameSpec(), auto_reset=False, tape_bytes=1200)
    batch.reset(2)
    while batch.play_random(100):
        pass
    outcomes = batch.drain_outcomes()
    sizes = [len(tape) for tape in outcomes.tapes]
    assert all(sizes)
    assert sum(sizes) / len(sizes) < 400
    short = Batch.uniform(200, GameSpec(), auto_reset=False, tape_bytes=max(sizes) // 2)
    short.reset(2)
    while short.play_random(100):
        pass
    again = short.drain_outcomes().tapes
    assert b"" in again
    assert all(tape in (b"", kept) for tape, kept in zip(again, outcomes.tapes, strict=True))


def test_what_is_no_tape_is_refused() -> None:
    batch = Batch.uniform(1, GameSpec(7, 7, 2), auto_reset=False, tape_bytes=4000)
    batch.reset(2)
    while batch.play_random(100):
        pass
    (tape,) = batch.drain_outcomes().tapes
    for broken in (b"", b"\x02" + tape[1:], tape[:9]):
        with pytest.raises(GameStateError, match="no tape"):
            TapeReader(broken)
    with pytest.raises(GameStateError, match="ends within a turn"):
        list(TapeReader(tape[:-1]).turns())
