"""How fast prioritised batches with planes are drawn, beside a plain numpy buffer with a sum tree in Python.

The plain one keeps whole uint8 planes and walks its tree draw by draw; both hold the same positions and priorities.
"""

import time
from datetime import UTC, datetime

import numpy as np

from pipeline.data.buffer import ALPHA, BETA, FLOOR, ExperienceReplayBuffer
from pipeline.data.game_making import games_from
from pipeline.data.positions import Positions, join, positions_of
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.simulator.competitor import heuristic
from pipeline.simulator.matches import play_matches

SIZE = 100_000
BATCH = 256
ROUNDS = 400


class PlainBuffer:
    """Positions as they are, and a sum tree in numpy that Python walks."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.leaves = 1 << (len(positions) - 1).bit_length()
        self.tree = np.zeros(2 * self.leaves)
        self.chance = np.random.default_rng(0)

    def fill(self, weights: np.ndarray) -> None:
        self.tree[self.leaves : self.leaves + len(weights)] = weights
        for node in range(self.leaves - 1, 0, -1):
            self.tree[node] = self.tree[2 * node] + self.tree[2 * node + 1]

    def sample(self, count: int) -> tuple[Positions, np.ndarray]:
        total = self.tree[1]
        slots = np.empty(count, np.int64)
        points = (np.arange(count) + self.chance.random(count)) * total / count
        for index in range(count):
            node, point = 1, points[index]
            while node < self.leaves:
                node *= 2
                if point >= self.tree[node]:
                    point -= self.tree[node]
                    node += 1
            slots[index] = node - self.leaves
        weights = (len(self.positions) * self.tree[slots + self.leaves] / total) ** -BETA
        return self.positions.rows(slots), weights / weights.max()


def some_positions() -> Positions:
    names = ["aggressive", "hungry", "voronoi"]
    parts = []
    for snakes in (2, 4):
        seatings = np.random.default_rng(1).integers(0, 3, (120, snakes)).astype(np.uint8)
        players = [heuristic(name) for name in names]
        finished = play_matches(players, seatings, fresh_seeds(snakes, 120), GameConditions(snakes=snakes), tapes=True)
        parts.append(positions_of(games_from(finished, names, "self_play", datetime.now(UTC))))
    made = join(parts)
    return made.rows(np.resize(np.arange(len(made)), SIZE))


def speed(draw: object, rounds: int) -> float:
    """Return samples per second of this process's own time, the best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for _ in range(rounds):
            draw(BATCH)  # type: ignore[operator]
        best = min(best, time.process_time() - started)
    return rounds * BATCH / best


def main() -> None:
    positions = some_positions()
    buffer = ExperienceReplayBuffer(SIZE, 0.0)
    buffer.add(positions.rows(slice(0, 10)), 1.0)
    started = time.process_time()
    buffer.add(positions, 1.0)
    print(f"added {len(positions) / (time.process_time() - started):,.0f} positions/s")
    errors = np.random.default_rng(2).exponential(size=SIZE)
    buffer.update_priorities(np.arange(10, 10 + SIZE), errors)
    plain = PlainBuffer(positions)
    plain.fill((errors + FLOOR) ** ALPHA)
    buffer.sample_batch(BATCH)
    ours, theirs = speed(buffer.sample_batch, ROUNDS), speed(plain.sample, ROUNDS // 20)
    uniform = ExperienceReplayBuffer(SIZE, 0.0, prioritized_sampling=False)
    uniform.add(positions, 1.0)
    whole = sum(array.nbytes for array in positions) / len(positions)
    print(f"prioritised batches of {BATCH} with planes: {ours / 1e6:.2f} M samples/s, plain {theirs / 1e6:.3f} M: "
          f"{ours / theirs:.0f} times")  # fmt: skip
    print(f"uniform {speed(uniform.sample_batch, ROUNDS) / 1e6:.2f} M, high quality "
          f"{speed(buffer.sample_high_quality_batch, ROUNDS) / 1e6:.2f} M samples/s")  # fmt: skip
    print(f"memory {buffer.bytes_per_experience:.0f} bytes per experience, plain {whole:.0f}")


if __name__ == "__main__":
    main()
