"""How strong the compiled players are: round robins in duels and among four, all by paired games on fresh seeds.

Usage: python tests/benchmarks/players_rating.py [seeds per pair, default 200] [seed, default from the system]
"""

import secrets
import sys
import time

from rating import rate

from pipeline.engine.players.kinds import KINDS
from pipeline.engine.players.match import GameConditions

CONDITIONS = {
    "duels, standard 11x11": GameConditions(),
    "four snakes, two of each kind, standard 11x11": GameConditions(snakes=4),
}


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbits(32)
    for title, conditions in CONDITIONS.items():
        started = time.process_time()
        table = rate([kind.number for kind in KINDS], seeds, seed, conditions)
        print(f"\n{title}: {seeds} seeds per pair, seed {seed}, {time.process_time() - started:.0f} s of one core\n")
        print(table.text())


if __name__ == "__main__":
    main()
