"""What each search finds for its games on a simulated hill: `python tests/benchmarks/tuner_landscape.py [--help]`.

60 weights, 12 of them inert, 20 interactions, 325 Elo to be had (`tests/support/simulated_hill.py`). Every run is a
whole one: probing games, gate games and all count, and what counts is the true Elo of the champion when the games are
spent. A replicate has its own hill. The row `best guess` is the mean of the iterates that SPSA would offer next.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from simulated_hill import Climb, Hill

from pipeline.tuner.gate import GateRules
from pipeline.tuner.optimise.build import strategy


def run(name: str, games: int, replicate: int) -> tuple[float, int, int]:
    """One whole run: true Elo of its champion over the start, gate tests, promotions."""
    hill = Hill(seed=1000 + replicate)
    search = strategy(name).build(hill.space(replicate))
    climb = Climb(hill, search, GateRules(), replicate).until(games)
    return hill.elo(climb.champion), climb.tests, climb.promoted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", default="spsa,auto,cma_es,tpe,nsga2,momentum,random")
    parser.add_argument("--games", default="1000,10000,100000")
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    print("strategy     games   true Elo gained  90 % of runs        gate tests  promotions  seconds a run", flush=True)
    with ProcessPoolExecutor(given.processes) as pool:
        for name in given.strategies.split(","):
            for games in map(int, given.games.split(",")):
                start, count = time.monotonic(), given.replicates
                rows = list(pool.map(run, [name] * count, [games] * count, range(count)))
                gained, tests, promoted = np.array(rows).T
                low, high = np.percentile(gained, [5, 95])
                took = (time.monotonic() - start) * given.processes / count
                print(
                    f"{name:9} {games:8}   {gained.mean():+12.1f}   {low:+7.1f} .. {high:+7.1f}   {tests.mean():12.1f}"
                    f"   {promoted.mean():8.1f}   {took:10.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
