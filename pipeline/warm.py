"""Compile what stands above the engine, so that later processes load it from disk: `python -m pipeline.warm`.

What the engine itself compiles is `pipeline.engine.warm`'s. This one loads torch.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import torch

from pipeline.data.buffer import ExperienceReplayBuffer
from pipeline.data.game_making import games_from
from pipeline.data.positions import positions_of
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.players.kinds import STRONG
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.environment.vector import VectorEnvironment
from pipeline.evaluation.strategy import analyse
from pipeline.evolution.batches import BatchReader, to_tensors
from pipeline.evolution.networks import build_network
from pipeline.simulator.competitor import heuristic
from pipeline.simulator.matches import play_matches
from schemas.network import light_network
from schemas.phases import DataSource

NAMES = ("heuristic:strong", "heuristic:voronoi")


def warm_data() -> None:
    """Games with tapes, their quality, positions with and without a teacher, and the replay buffer."""
    players = [heuristic(name.partition(":")[2]) for name in NAMES]
    finished = play_matches(players, np.array([[0, 1]], np.uint8), fresh_seeds(1, 1), GameConditions(), tapes=True)
    games = games_from(finished, NAMES, DataSource.SELF_PLAY.value, datetime.now(UTC))
    positions_of(games, teacher=STRONG)
    buffer = ExperienceReplayBuffer(max_size=100, quality_threshold=0.0)
    buffer.add_games(games, every=20)
    buffer.update_priorities(buffer.sample_batch(2).indices, np.ones(2))
    analyse(finished, 0)


def warm_environment() -> None:
    """The vector environment, cut by its turn limit."""
    environment = VectorEnvironment(2, GameSpec(snakes=2), opponents=(STRONG,), turn_limit=1)
    environment.reset(1)
    environment.step(np.zeros((2, 2), np.uint8))


def warm_networks() -> None:
    """The fixed layers, and the reading of batches."""
    network = build_network(light_network())
    finished = play_matches(
        [heuristic("voronoi")], np.zeros((1, 2), np.uint8), fresh_seeds(1, 1), GameConditions(), tapes=True
    )
    games = games_from(finished, ["heuristic:voronoi"], DataSource.SELF_PLAY.value, datetime.now(UTC))
    positions = positions_of(games)
    BatchReader(positions).read(np.zeros(2, np.int64), np.ones(2, np.uint8))
    with torch.inference_mode():
        network(*to_tensors(positions.rows(slice(2))))


STEPS: dict[str, Callable[[], None]] = {
    "data": warm_data,
    "environment": warm_environment,
    "networks": warm_networks,
}


def main() -> None:
    """Compile step by step, a line each."""
    for number, (name, step) in enumerate(STEPS.items(), start=1):
        begun = time.monotonic()
        step()
        sys.stdout.write(f"pipeline [{number}/{len(STEPS)}] {name} ready in {time.monotonic() - begun:.1f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
