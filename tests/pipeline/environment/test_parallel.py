"""The PettingZoo environment against PettingZoo's own tests, and its rewards in known games."""

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test
from pettingzoo.utils import parallel_to_aec

from pipeline.engine.game_spec import GameSpec
from pipeline.environment.parallel import BattlesnakeParallelEnv
from schemas.errors import GameStateError


@pytest.mark.filterwarnings("ignore:Observation:UserWarning")  # PettingZoo would rather have no dicts
@pytest.mark.parametrize("spec", [GameSpec(), GameSpec(7, 7, 2, "wrapped"), GameSpec(7, 7, 1, "solo")])
def test_pettingzoo_accepts_it(spec):
    parallel_api_test(BattlesnakeParallelEnv(spec), num_cycles=60)
    api_test(parallel_to_aec(BattlesnakeParallelEnv(spec)), num_cycles=60)


@pytest.mark.parametrize("spec", [GameSpec(snakes=2), GameSpec(7, 7, 1, "solo"), GameSpec(9, 9, 3, "royale")])
def test_equal_seeds_give_equal_games(spec):
    parallel_seed_test(lambda: BattlesnakeParallelEnv(spec), num_cycles=40)
    seed_test(lambda: parallel_to_aec(BattlesnakeParallelEnv(spec)), num_cycles=40)


def test_it_is_drawn_as_pettingzoo_asks():
    render_test(lambda render_mode=None: parallel_to_aec(BattlesnakeParallelEnv(render_mode=render_mode)))


def test_a_seed_of_the_constructor_is_that_of_the_first_reset():
    given, told = BattlesnakeParallelEnv(seed=11), BattlesnakeParallelEnv()
    for first, second in ((given.reset(), told.reset(seed=11)), (given.reset(), told.reset())):
        for agent, seen in first[0].items():
            for name, array in seen.items():
                np.testing.assert_array_equal(array, second[0][agent][name])


def test_a_wall_ends_a_duel():
    env = BattlesnakeParallelEnv(GameSpec(snakes=2), render_mode="ansi")
    env.reset(seed=3)
    assert sorted("".join(env.render().split())).count("A") == 1
    rewards = {}
    for _ in range(12):
        infos = env._infos(env.agents)
        actions = {"snake_0": 0, "snake_1": int(np.argmax(infos["snake_1"]["action_mask"]))}
        _, rewards, terminations, truncations, _ = env.step(actions)
        if not env.agents:
            break
    assert rewards == {"snake_0": -1.0, "snake_1": 1.0}
    assert all(terminations.values()) and not any(truncations.values())


def test_a_turn_limit_truncates():
    env = BattlesnakeParallelEnv(GameSpec(snakes=2), turn_limit=2)
    env.reset(seed=1)
    _, infos = env.reset(seed=1)
    for _ in range(2):
        actions = {agent: int(np.argmax(infos[agent]["action_mask"])) for agent in env.agents}
        _, rewards, terminations, truncations, infos = env.step(actions)
    assert all(truncations.values()) and not any(terminations.values()) and set(rewards.values()) == {0.0}


def test_a_missing_action_is_refused():
    env = BattlesnakeParallelEnv(GameSpec(snakes=2))
    env.reset()
    with pytest.raises(ValueError, match="snake_1"):
        env.step({"snake_0": 0})


def test_an_action_that_is_no_number_is_refused_and_another_number_is_the_default_move():
    env, other = BattlesnakeParallelEnv(GameSpec(snakes=2)), BattlesnakeParallelEnv(GameSpec(snakes=2))
    env.reset(seed=np.int64(4))
    other.reset(seed=4)
    for odd in ("up", 1.5, None, np.array([1])):
        with pytest.raises(GameStateError, match=r"\(actions\)"):
            env.step({"snake_0": odd, "snake_1": odd})
    seen, meant = env.step({"snake_0": -1, "snake_1": 300})[0], other.step({"snake_0": 7, "snake_1": 9})[0]
    np.testing.assert_array_equal(seen["snake_0"]["board_state"], meant["snake_0"]["board_state"])
