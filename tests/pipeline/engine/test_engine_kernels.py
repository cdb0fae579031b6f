"""A kernel compiled for one board plays, files and waits exactly as the loop that plays any game."""

import numpy as np
import pytest

from pipeline.engine import Batch, GameSpec
from pipeline.engine.advance import advance_any

SPECS = (GameSpec(), GameSpec(7, 7, 2, "wrapped", "royale", {"shrinkEveryNTurns": 3}))


def pair(spec: GameSpec, **options: object) -> tuple[Batch, Batch]:
    general, own = (Batch.uniform(48, spec, outcomes_per_slot=3, turn_limit=90, **options) for _ in range(2))
    general._advance_games = advance_any
    own.compile_kernel()
    assert own._advance_games is not advance_any
    return general, own


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("auto_reset", [True, False])
def test_a_kernel_agrees_bit_for_bit(spec: GameSpec, auto_reset: bool) -> None:
    general, own = pair(spec, auto_reset=auto_reset)
    chance = np.random.default_rng(1)
    games = 0
    for batch in (general, own):
        batch.reset(5)
    for turns in (1, 1, 30, 300, 1, 500, 2, 1, 60):
        wild = chance.integers(0, 6, own.actions.shape, dtype=np.uint8)
        played = [(batch.play_random(turns), batch.step(wild)) for batch in (general, own)]
        assert played[0] == played[1]
        for name in ("fields", "grid", "clock"):
            np.testing.assert_array_equal(getattr(general.records, name), getattr(own.records, name))
        np.testing.assert_array_equal(general.done, own.done)
        if turns != 500:  # so that some slots are full for a while
            expected, got = general.drain_outcomes(), own.drain_outcomes()
            games += len(got.slot)
            for name, one, other in zip(got._fields, expected, got, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=name)
    assert games >= 48


def test_two_threads_play_what_one_does() -> None:
    alone, shared = (Batch.uniform(33, SPECS[0], threads=threads, outcomes_per_slot=40) for threads in (1, 2))
    for batch in (alone, shared):
        batch.reset(8)
        batch.play_random(400)
    np.testing.assert_array_equal(alone.records.fields, shared.records.fields)
    for one, other in zip(alone.drain_outcomes(), shared.drain_outcomes(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_games_that_a_kernel_could_not_play_have_none() -> None:
    for specs, options in (
        ([GameSpec(), GameSpec(7, 7)], {}),
        ([GameSpec(map_id="hz_scatter")], {}),
        ([GameSpec()], {"tape_bytes": 2000}),
    ):
        batch = Batch(specs, **options)
        batch.compile_kernel()
        assert batch._advance_games is advance_any
