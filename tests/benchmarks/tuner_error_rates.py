"""How often whole runs of the tuner promote, and what they report: `python tests/benchmarks/tuner_error_rates.py`.

Simulated games (draws, and a seat that is worth something on each seed: `tests/support/simulated_hill.py`), the gate's
default rules. First runs in which every candidate is exactly as strong as the champion and yet plays differently; then
runs whose candidates are all truly better by the same gain, until one is promoted. The gain that a run reports is its
measurement on seeds that decided nothing; the deciding games' own mean stands beside it, to show why.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from simulated_hill import elo_of_gain, pair_scores

from pipeline.tuner.gate import GateRules, GateTest, GateVerdict, SeedOutcome, concluded, measured_gain, no_regression

RULES = GateRules()
POOL = ("bundled snake", "earlier champion")
POOL_SEEDS = 100


@dataclass
class Run:
    """What became of one run."""

    promoted_at: int = 0
    """Number of the test that promoted; 0: none did."""
    games: int = 0
    gain: float = 0.0
    deciding_gain: float = 0.0


def whole_run(seed: int, elo: float, candidates: int) -> Run:
    random, run = np.random.default_rng((20261129, seed)), Run()
    for number in range(1, candidates + 1):
        test = GateTest(RULES, number)
        while not test.decided:
            for score in pair_scores(elo, 32, random).tolist():
                test.add(SeedOutcome(score))
        decision = test.decision()
        run.games += 2 * decision.seeds
        if decision.verdict is not GateVerdict.PROMOTED:
            continue
        pool = {name: list(zip(*pool_scores(elo, random), strict=True)) for name in POOL}
        run.games += 4 * POOL_SEEDS * len(POOL)
        if concluded(decision, no_regression(RULES, pool)) is not GateVerdict.PROMOTED:
            continue
        fresh = [SeedOutcome(score) for score in pair_scores(elo, RULES.measure_seeds, random).tolist()]
        run.games += 2 * RULES.measure_seeds
        measured = measured_gain(fresh)
        assert measured is not None
        run.promoted_at, run.gain, run.deciding_gain = number, measured.gain, decision.gain
        return run
    return run


def pool_scores(elo: float, random: np.random.Generator) -> tuple[list[float], list[float]]:
    """Candidate and champion against a snake of the champion's strength."""
    return pair_scores(elo, POOL_SEEDS, random).tolist(), pair_scores(0.0, POOL_SEEDS, random).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--candidates", type=int, default=30, help="gate tests of a run whose candidates are equal")
    given = parser.parse_args()
    print(RULES.promise())
    equal = [whole_run(seed, 0.0, given.candidates) for seed in range(given.runs)]
    wrong = sum(run.promoted_at > 0 for run in equal)
    games = np.mean([run.games for run in equal])
    print(
        f"every candidate equals the champion: {wrong} of {given.runs} runs of {given.candidates} tests promote"
        f" anything ({wrong / given.runs:.1%}), {games:.0f} games a run, {games / given.candidates:.0f} a test",
        flush=True,
    )
    print("true gain   promoted by the first test   within 5 tests   games   reported gain (bias)   deciding games say")
    for gain in (0.03, 0.05, 0.1):
        runs = [whole_run(10_000 + seed, elo_of_gain(gain), 5) for seed in range(given.runs)]
        kept = [run for run in runs if run.promoted_at]
        first = sum(run.promoted_at == 1 for run in kept)
        shown, deciding = (float(np.mean([getattr(r, key) for r in kept])) for key in ("gain", "deciding_gain"))
        print(
            f"{gain:+8.1%}    {first / len(runs):25.1%}   {len(kept) / len(runs):14.1%}"
            f"   {np.mean([run.games for run in runs]):5.0f}   {shown:+.2%} ({shown - gain:+.2%})"
            f"        {deciding:+.2%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
