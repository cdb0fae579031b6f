"""Gymnasium's own tests over its two environments, and the two beside each other."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from pipeline.engine.game_spec import GameSpec
from pipeline.environment.gymnasium_env import BattlesnakeEnv, BattlesnakeVectorEnv
from schemas.errors import GameStateError

SOLO = GameSpec(7, 7, 1, "solo")


@pytest.mark.parametrize(
    "spec",
    [
        GameSpec(snakes=2),
        SOLO,
        GameSpec(7, 7, 2, "wrapped"),
        GameSpec(9, 9, 3, "royale"),
        GameSpec(ruleset="constrictor"),
    ],
)
def test_gymnasium_accepts_it(spec):
    check_env(BattlesnakeEnv(spec, turn_limit=40), skip_render_check=True)


@pytest.mark.parametrize("spec", [GameSpec(7, 7, 3), SOLO])
def test_the_vector_environment_is_gymnasiums_own_over_single_ones(spec):
    """`SyncVectorEnv` over N single environments defines seeding, resets on the next step, rewards and shapes."""
    limits = {"turn_limit": 12, "opponents": ["hungry"] * (spec.snakes - 1)}
    ours = BattlesnakeVectorEnv(5, spec, **limits)
    theirs = SyncVectorEnv([lambda: BattlesnakeEnv(spec, **limits)] * 5, autoreset_mode=AutoresetMode.NEXT_STEP)
    assert ours.observation_space == theirs.observation_space and ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    chance, ends = np.random.default_rng(2), 0
    # Constructors without a seed begin with 0; a seed left out of several goes on to that game's next.
    for seed in (3, [7, None, 9, None, 2**40], None, np.array([5, 4, 3, 2, 1]), 3):
        told = seed if seed is None or isinstance(seed, int) else [one if one is None else int(one) for one in seed]
        for mine, other in zip(ours.reset(seed=seed), theirs.reset(seed=told), strict=True):
            same(mine, other)
    for _ in range(60):
        actions = chance.integers(0, 4, 5)
        got, expected = ours.step(actions), theirs.step(actions)
        for mine, other in zip(got, expected, strict=True):
            same(mine, other)
        ends += int((got[2] | got[3]).sum())
    assert ends > 10


def same(mine, other):
    if isinstance(mine, dict):
        assert mine.keys() == other.keys()
        for name, value in mine.items():
            same(value, other[name])
    else:
        np.testing.assert_array_equal(mine, other)


def test_a_seed_of_the_constructor_is_that_of_the_first_reset():
    for make, form in ((BattlesnakeEnv, {}), (BattlesnakeVectorEnv, {"num_envs": 3})):
        given, told = make(seed=11, **form), make(**form)
        same(given.reset()[0], told.reset(seed=11)[0])
        same(given.reset()[0], told.reset()[0])


def test_actions_and_seeds_that_are_none_are_refused():
    env = BattlesnakeVectorEnv(2)
    with pytest.raises(GameStateError, match="reset"):
        env.step(np.array([0, 0]))
    env.reset(seed=np.int64(3))
    single = BattlesnakeEnv()
    single.reset(seed=3)
    for odd in ("up", 1.5, None, [0], True):
        with pytest.raises(GameStateError, match=r"\(actions\)"):
            env.step([odd, odd])
        with pytest.raises(GameStateError, match=r"\(actions\)"):
            single.step(odd)
    env.step(np.array([-1, 300]))  # the rules' default move
    for odd in ([1], ["a", 2], [1, 2**65]):
        with pytest.raises(GameStateError, match=r"\(seed"):
            env.reset(seed=odd)
    with pytest.raises(ValueError, match="one for each seat"):
        BattlesnakeVectorEnv(2, opponents=["hungry"] * 2)
