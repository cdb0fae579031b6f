"""Batches: what the encoder would have written through each symmetry, and the targets turned with it."""

import numpy as np
import pytest
import torch
from played_positions import changed, played_positions

from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import allocate_observations
from pipeline.engine.planes import PLANE_SCALES
from pipeline.engine.symmetry import MOVE_TO, SYMMETRIES, cell_map
from pipeline.environment.vector import VectorEnvironment
from pipeline.evolution.batches import BatchReader
from pipeline.evolution.networks import SURVIVAL_HORIZONS


@pytest.mark.parametrize(("width", "height", "ruleset"), [(11, 11, "standard"), (10, 7, "wrapped")])
def test_a_transformed_row_is_what_the_encoder_writes_through_that_symmetry(
    width: int, height: int, ruleset: str
) -> None:
    world = VectorEnvironment(6, GameSpec(width, height, snakes=3, ruleset=ruleset))
    world.reset(4)
    chance = np.random.default_rng(0)
    for _ in range(12):
        world.step(np.argmax(world.masks * chance.random(world.masks.shape), 2).astype(np.uint8))
    games, snakes = world.observer.living()
    seen = [allocate_observations(len(games)) for _ in range(SYMMETRIES)]
    for symmetry, rows in enumerate(seen):
        rows.symmetries[:] = symmetry
        world.observer.observe(games, snakes, rows)
    base = changed(
        played_positions(len(games)), planes=seen[0].planes, features=seen[0].features, context=seen[0].context
    )
    reader = BatchReader(base)
    for symmetry, rows in enumerate(seen):
        moved = reader._gather(np.arange(len(games)), np.full(len(games), symmetry, np.uint8))
        assert (moved.planes == rows.planes).all()
        assert (moved.features == rows.features).all()
        assert (moved.context == rows.context).all()


def test_moves_masks_and_territory_turn_along() -> None:
    positions = played_positions(40)
    reader = BatchReader(positions)
    rows = np.array([7, 3, 3, 20])
    symmetries = np.array([5, 0, 2, 7], np.uint8)
    targets = reader.read(rows, symmetries).targets
    for at, (row, symmetry) in enumerate(zip(rows, symmetries, strict=True)):
        for move in range(4):
            assert targets.masks[at, MOVE_TO[symmetry, move]] == positions.masks[row, move]
        assert targets.moves[at] == MOVE_TO[symmetry, positions.moves[row]]
        mine = np.zeros(121, np.float32)
        mine[cell_map(11)[symmetry]] = positions.territory[row] == 1
        assert (targets.territory[at].numpy() == mine).all()
    assert targets.outcome.tolist() == positions.outcome[rows].tolist()


def test_floats_are_the_bytes_times_their_scales_with_channels_last() -> None:
    positions = played_positions(8)
    board = BatchReader(positions).read(np.arange(8)).inputs.board_state
    assert (board.numpy() == positions.planes * PLANE_SCALES[None, :, None, None]).all()
    assert board.is_contiguous(memory_format=torch.channels_last)


def test_survival_is_told_as_far_as_the_game_went() -> None:
    first, second = SURVIVAL_HORIZONS[:2]
    positions = changed(
        played_positions(5),
        survived=np.array([first - 1, first, first + 1, first, first - 1], np.uint16),
        died=np.array([True, True, True, False, False]),
    )
    targets = BatchReader(positions).read(np.arange(5)).targets
    # Dead before, dead on that very turn, dead one later; the game ended on that turn, or before it.
    assert targets.survived[:, 0].tolist() == [0, 0, 1, 1, 0]
    assert targets.told[:, 0].tolist() == [1, 1, 1, 1, 0]
    assert first + 1 < second
    assert targets.survived[:, 1].tolist() == [0] * 5 and targets.told[:, 1].tolist() == [1, 1, 1, 0, 0]


def test_illegal_moves_teach_no_policy() -> None:
    positions = played_positions(6)
    masks = np.ones((6, 4), np.bool_)
    masks[2, 1] = False
    positions = changed(positions, masks=masks, moves=np.array([0, 1, 1, 3, 4, 255], np.uint8))
    weights = np.array([1, 2, 3, 4, 5, 6], np.float32)
    targets = BatchReader(positions, weights).read(np.arange(6)).targets
    assert targets.policy_weights.tolist() == [1, 2, 0, 4, 0, 0]
    assert targets.weights.tolist() == weights.tolist()


def test_the_board_alone_has_territory() -> None:
    world = VectorEnvironment(2, GameSpec(7, 5, snakes=2))
    world.reset(1)
    positions = changed(played_positions(4), planes=world.planes.reshape(4, 12, 11, 11).copy())
    assert BatchReader(positions).read(np.arange(4)).targets.on_board.sum(1).tolist() == [35] * 4
