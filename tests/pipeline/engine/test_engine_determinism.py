"""A game is the same whatever batch, order, threads or form it is played in."""

import hashlib

import numpy as np
import pytest

from pipeline.engine import Batch, Game, GameSpec, layout
from pipeline.engine.rng import derive_seed
from schemas.errors import GameStateError

SPECS = (
    GameSpec(),
    GameSpec(7, 7, 2, "wrapped"),
    GameSpec(19, 19, 8, "royale", "royale", {"shrinkEveryNTurns": 4}),
    GameSpec(11, 11, 4, "standard", "hz_expand_scatter"),
    GameSpec(5, 9, 3, "constrictor"),
    GameSpec(25, 25, 16, "standard", "snail_mode"),
    GameSpec(11, 11, 4, "standard", "hz_castle_wall"),
)


def seed_of(index: int) -> int:
    return int(derive_seed(77, index))


def rows(batch: Batch) -> list[bytes]:
    """Each slot's own bytes: only what its own size gives a meaning."""
    found = []
    for slot, spec in enumerate(batch.specs):
        fields, grid, clock = layout.record_shape(spec.width, spec.height, spec.snakes)
        used = int(batch.records.fields[slot, layout.FOOD_AT] + batch.records.fields[slot, layout.FOOD])
        found.append(
            batch.records.fields[slot, : min(used, fields)].tobytes()
            + batch.records.grid[slot, :grid].tobytes()
            + batch.records.clock[slot, :clock].tobytes()
        )
    return found


def play(indices: list[int], turns: int, calls: int, threads: int) -> dict[int, bytes]:
    batch = Batch([SPECS[i % len(SPECS)] for i in indices], threads=threads, outcomes_per_slot=300)
    batch.reset([seed_of(i) for i in indices])
    for _ in range(calls):
        batch.play_random(turns)
    return dict(zip(indices, rows(batch), strict=True))


def test_batch_size_order_and_threads_do_not_matter() -> None:
    whole = play(list(range(1024)), 60, 1, threads=1)
    assert play(list(range(1024)), 60, 1, threads=2) == whole
    assert play(list(reversed(range(1024))), 20, 3, threads=2) == whole
    for size in (1, 7):
        for first in range(0, 42, size):
            some = list(range(first, first + size))
            part = play(some, 1, 60, threads=1)
            assert part == {index: whole[index] for index in some}


def test_the_same_seeds_give_the_same_games_on_every_run() -> None:
    """A golden digest: whoever changes what a seed means has to change it here, and knows it."""
    whole = play(list(range(140)), 60, 1, threads=1)
    digest = hashlib.blake2b(b"".join(whole.values()), digest_size=8).hexdigest()
    assert digest == "2c3f8c0132a7958f"


@pytest.mark.parametrize("index", range(len(SPECS)))
def test_single_games_and_batches_are_one(index: int) -> None:
    spec = SPECS[index]
    ids = [f"s{snake}" for snake in range(spec.snakes)]
    game = Game.new(spec.width, spec.height, ids, spec.ruleset, spec.map_id, dict(spec.settings), seed=seed_of(index))
    batch = Batch([spec], auto_reset=False, corpses=True)
    batch.reset([seed_of(index)])
    for _ in range(120):
        assert game.to_state() == batch.state_of(0)
        if game.is_over():
            break
        batch.play_random(1)
        words = [layout.MOVE_WORDS[move] for move in batch.actions[0]]
        game.step(dict(zip(ids, words, strict=True)))
    assert game.turn > 2


def test_a_caller_may_begin_the_next_games_itself() -> None:
    """A batch that waits for `begin_next` plays the very games, tapes included, that `auto_reset` plays."""
    itself, told = (
        Batch([GameSpec(7, 7, 3), GameSpec()] * 8, auto_reset=flag, tape_bytes=2000, turn_limit=25)
        for flag in (True, False)
    )
    itself.reset(3)
    told.reset(3)
    finished = 0
    for _ in range(80):
        itself.play_random(1)
        told.play_random(1)
        expected, got = itself.drain_outcomes(), told.drain_outcomes()
        told.begin_next(got.slot)
        finished += len(got.slot)
        assert got.tapes == expected.tapes
        assert (got.seed == expected.seed).all()
        assert rows(told) == rows(itself)
    assert finished > 40
    with pytest.raises(GameStateError, match=r"not within 0\.\.15"):
        told.begin_next(np.array([16]))
