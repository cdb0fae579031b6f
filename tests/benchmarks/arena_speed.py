"""How much of a core the arena itself takes per position that a policy is asked for, beside a network of a given speed.

Times are the process's own CPU time, so that neighbours on the machine do not count.
"""

import sys
import time

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.observe import Observations
from pipeline.engine.planes import FEATURES
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.simulator.competitor import every_seating, from_policy, heuristic, seatings_of
from pipeline.simulator.matches import play_matches

NETWORK_POSITIONS_PER_S = 60_000
EXITS = [slot.name for slot in FEATURES].index("exits_up")


class Trivial:
    """The legal move with the most exits behind it; counts its rows and its own time."""

    name = "trivial"

    def __init__(self) -> None:
        self.rows, self.time_s = 0, 0.0

    def choose(
        self, observations: Observations, masks: NDArray[np.bool_], draws: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        started = time.process_time()
        exits = observations.features[:, EXITS : EXITS + 4] + draws[:, None]
        moves = np.where(masks, exits, -1).argmax(1).astype(np.uint8)
        self.rows += len(moves)
        self.time_s += time.process_time() - started
        return moves


def measure(snakes: int, games: int, games_at_once: int, opponent: str | None) -> str:
    """Return a line: time outside the policy per position, and as a share of a turn with the network."""
    seatings, seeds = every_seating(seatings_of(2, snakes), fresh_seeds(1, games // 2))
    outside, policy = float("inf"), Trivial()
    for _ in range(4):  # the first also loads the compiled code
        policy = Trivial()
        me = from_policy(policy)
        started = time.process_time()
        play_matches([me, heuristic(opponent) if opponent else me], seatings, seeds, GameConditions(snakes=snakes),
                     games_at_once=games_at_once)  # fmt: skip
        outside = min(outside, (time.process_time() - started - policy.time_s) / policy.rows)
    network = 1 / NETWORK_POSITIONS_PER_S
    return (
        f"{snakes} snakes, {games_at_once:5} at once, opponent {opponent or 'itself':8}:"
        f" {outside * 1e6:6.2f} µs outside per position asked, {outside / (outside + network):6.1%} of the whole"
        f" beside {NETWORK_POSITIONS_PER_S} positions/s ({policy.rows} positions)"
    )


def main() -> None:
    for snakes, opponent in ((2, None), (4, None), (2, "strong")):
        for games_at_once in (64, 256, 1024):
            games = (8 if opponent is None else 2) * games_at_once
            sys.stdout.write(measure(snakes, games, games_at_once, opponent) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
