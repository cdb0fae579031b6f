"""The vector environment: views, rewards against the outcomes, opponents, and the egocentric view."""

import numpy as np
import pytest

from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observer, allocate_observations
from pipeline.engine.players.kinds import HUNGRY, VORONOI
from pipeline.engine.symmetry import MOVE_FROM
from pipeline.environment.vector import VectorEnvironment


def random_masked(environment: VectorEnvironment, chance: np.random.Generator) -> np.ndarray:
    noise = chance.random(environment.masks.shape)
    return np.where(environment.masks, noise, -1).argmax(2).astype(np.uint8)


def test_arrays_stay_and_show_what_the_observer_sees():
    environment = VectorEnvironment(16, GameSpec(snakes=3))
    before = {name: getattr(environment, name) for name in ("planes", "features", "masks", "rewards", "living")}
    environment.reset(5)
    chance = np.random.default_rng(0)
    for _ in range(30):
        environment.step(random_masked(environment, chance))
    assert all(getattr(environment, name) is array for name, array in before.items())
    games, snakes = Observer(environment.batch.records).living()
    np.testing.assert_array_equal(np.nonzero(environment.living), (games, snakes))
    rows = allocate_observations(len(games))
    Observer(environment.batch.records).observe(games, snakes, rows)
    np.testing.assert_array_equal(environment.planes[games, snakes], rows.planes)
    assert not environment.planes[~environment.living].any()


@pytest.mark.parametrize("spec", [GameSpec(7, 7, 2), GameSpec(snakes=4), GameSpec(7, 7, 1, "solo")])
def test_each_episode_is_closed_once_and_rewards_follow_the_outcomes(spec):
    environment = VectorEnvironment(64, spec, turn_limit=60)
    environment.reset(7)
    chance = np.random.default_rng(1)
    totals, finished = np.zeros((64, spec.snakes)), 0
    for _ in range(150):
        moved = environment.living.copy()
        environment.step(random_masked(environment, chance))
        assert not (environment.dones & ~moved).any() and not environment.rewards[~moved].any()
        totals += environment.rewards
        out = environment.outcomes
        for row, slot in enumerate(out.slot):
            finished += 1
            alive = out.died_on[row] == 0
            assert environment.truncated[slot] == (alive.sum() > (spec.snakes > 1))
            if spec.snakes > 1:
                expected = np.where(out.rank[row] > 1, -1.0, 1.0 if (out.rank[row] == 1).sum() == 1 else 0.0)
                np.testing.assert_array_equal(totals[slot], expected)
            totals[slot] = 0
    assert finished > 30


def test_opponents_move_themselves_and_beat_chance():
    environment = VectorEnvironment(128, GameSpec(snakes=2), opponents=[VORONOI])
    environment.reset(2)
    assert environment.living[:, 0].all() and not environment.living[:, 1].any()
    chance, wins, losses = np.random.default_rng(2), 0, 0
    for _ in range(120):
        environment.step(random_masked(environment, chance))
        assert not environment.rewards[:, 1].any()
        wins += int((environment.rewards[:, 0] > 0).sum())
        losses += int((environment.rewards[:, 0] < 0).sum())
    assert losses > 4 * wins
    environment.kinds[:] = HUNGRY
    with pytest.raises(ValueError, match="opponents"):
        VectorEnvironment(2, GameSpec(snakes=2), opponents=[HUNGRY] * 3)


def test_the_egocentric_view_plays_the_same_game():
    plain, turned = (VectorEnvironment(32, GameSpec(snakes=2), egocentric=flag) for flag in (False, True))
    plain.reset(9)
    turned.reset(9)
    chance = np.random.default_rng(3)
    for _ in range(40):
        seen = random_masked(turned, chance)
        board = np.take_along_axis(MOVE_FROM[turned.symmetries & 7], seen[:, :, None], 2)[:, :, 0]
        turned.step(seen)
        plain.step(board)
        np.testing.assert_array_equal(plain.batch.records.fields, turned.batch.records.fields)
        np.testing.assert_array_equal(plain.rewards, turned.rewards)


@pytest.mark.parametrize(("dtype", "egocentric"), [(np.uint8, False), (np.float32, True)])
def test_a_truncated_game_leaves_its_last_position(dtype, egocentric):
    """The same games without a limit show, at the turn of each cut, what `final` must hold."""
    options = {"dtype": dtype, "egocentric": egocentric}
    cut = VectorEnvironment(48, GameSpec(snakes=3), turn_limit=10, **options)
    whole = VectorEnvironment(48, GameSpec(snakes=3), **options)
    for environment in (cut, whole):
        environment.reset(4)
    assert len(cut.final.games) == 0
    chance, alike, compared = np.random.default_rng(4), np.ones(48, np.bool_), 0
    while alike.any():
        actions = random_masked(cut, chance)
        for environment in (cut, whole):
            environment.step(actions)
        games, seats, rows = cut.final
        assert set(games) == set(np.flatnonzero(cut.truncated))
        np.testing.assert_array_equal(
            whole.living & (cut.truncated & alike)[:, None],
            np.isin(np.arange(48 * 3), games * 3 + seats).reshape(48, 3) & alike[:, None],
        )
        for game, seat, planes, features, context in zip(games, seats, *rows[:3], strict=True):
            assert cut.dones[game, seat]
            if alike[game]:
                compared += 1
                np.testing.assert_array_equal(planes, whole.planes[game, seat])
                np.testing.assert_array_equal(features, whole.features[game, seat])
                np.testing.assert_array_equal(context, whole.context[game, seat])
        alike &= ~cut.truncated
        np.testing.assert_array_equal(cut.planes[alike], whole.planes[alike])
    assert compared > 60


def test_sixteen_seats_and_seats_of_others_are_zero_where_nobody_learns():
    environment = VectorEnvironment(8, GameSpec(25, 25, 16), opponents=[HUNGRY] * 3, frame=25)
    environment.reset(6)
    chance = np.random.default_rng(6)
    for _ in range(25):
        environment.step(random_masked(environment, chance))
        assert not environment.living[:, 13:].any()
        seen = environment.planes.any(axis=(2, 3, 4))
        np.testing.assert_array_equal(seen, environment.living)
        assert environment.masks[~environment.living].all()
        assert environment.masks.any(2).all()
    assert not environment.living[:, :13].all()
