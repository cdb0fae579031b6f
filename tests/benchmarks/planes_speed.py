"""How many observations are written per second of one core's own time."""

import time

import numpy as np

from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observer, allocate_observations
from pipeline.environment.vector import VectorEnvironment

ROUNDS = 60


def measure(games: int, snakes: int, dtype: type) -> float:
    """Return encodings per second of all living snakes of a batch after 30 random turns."""
    batch = Batch.uniform(games, GameSpec(snakes=snakes))
    batch.reset(1)
    batch.play_random(30)
    observer = Observer(batch.records)
    who = observer.living()
    rows = allocate_observations(len(who[0]), dtype)
    best = float("inf")
    for _ in range(ROUNDS):
        rows.symmetries[:] = 0
        started = time.process_time()
        observer.observe(*who, rows)
        best = min(best, time.process_time() - started)
    return len(who[0]) / best


def measure_environment(games: int, snakes: int) -> float:
    """Return living seats stepped and observed per second, random moves."""
    environment = VectorEnvironment(games, GameSpec(snakes=snakes))
    environment.reset(1)
    chance, seats = np.random.default_rng(1), 0
    actions = chance.integers(0, 4, (16, games, snakes), dtype=np.uint8)
    environment.step(actions[0])
    started = time.process_time()
    for turn in range(ROUNDS):
        seats += int(environment.living.sum())
        environment.step(actions[turn % 16])
    return seats / (time.process_time() - started)


def main() -> None:
    for snakes in (2, 4):
        for games in (128, 1024):
            whole, floats = measure(games, snakes, np.uint8), measure(games, snakes, np.float32)
            steps = measure_environment(games, snakes)
            print(f"{games:5} games of {snakes} snakes 11x11: {whole / 1e6:6.2f} M uint8/s, "
                  f"{floats / 1e6:6.2f} M float32/s; vector environment {steps / 1e6:6.3f} M positions/s")  # fmt: skip


if __name__ == "__main__":
    main()
