"""How fast the players think: moves and whole games per second of one core's own time, every seat the same kind."""

import time

import numpy as np

from pipeline.engine.players.kinds import DEEP, KINDS
from pipeline.engine.players.match import GameConditions, fresh_seeds, play_games

LEAST_S = 1.5


def measure(kind: int, snakes: int) -> tuple[float, float, float]:
    """Return (moves/s, games/s, mean turns)."""
    conditions = GameConditions(snakes=snakes)
    count, seed, moves, games, turns = (4 if kind == DEEP else 256), 1, 0, 0, 0
    started = time.process_time()
    while time.process_time() - started < LEAST_S:
        played = play_games(np.full((count, snakes), kind, np.uint8), fresh_seeds(seed, count), conditions)
        moves += int(np.where(played.deaths == 0, played.turns[:, None], played.deaths).sum())
        turns, games, seed = turns + int(played.turns.sum()), games + count, seed + 1
    took = time.process_time() - started
    return moves / took, games / took, turns / games


def main() -> None:
    for kind in KINDS:
        measure(kind.number, 2)  # compile, or load what is compiled
        for snakes in (2, 4):
            moves, games, turns = measure(kind.number, snakes)
            print(f"{kind.name:12} {snakes} snakes 11x11: {moves / 1e6:7.3f} M moves/s {games:9.0f} games/s "
                  f"({turns:.0f} turns each, the engine's turns included)")  # fmt: skip


if __name__ == "__main__":
    main()
