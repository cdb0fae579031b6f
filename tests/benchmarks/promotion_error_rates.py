"""How often promotion lets a useless challenger through, and finds a better one: simulated duels at real settings.

Usage: python tests/benchmarks/promotion_error_rates.py [runs, default 400] [seed, default 1]
"""

import sys

import numpy as np

from pipeline.evaluation.intervals import wilson
from pipeline.evaluation.promotion import hypotheses_of, sequential_duels
from pipeline.evaluation.sequential import Verdict
from schemas.training import TournamentConfig

STEPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
EVEN = np.array([0.24, 0.01, 0.5, 0.01, 0.24])
"""Chances of a pair's mean score between equals who hardly ever draw."""


def challenge(chance: np.random.Generator, number: int, gain: float) -> tuple[bool, int]:
    """Return whether a challenger with mean score 1/2 + gain comes through, and the pairs it took."""
    config, chances = TournamentConfig(), EVEN.copy()
    chances[[0, 4]] += [-gain, gain]
    test, scores = sequential_duels(
        lambda first, end: chance.choice(STEPS, end - first, p=chances),
        hypotheses_of(config, number),
        config.max_promotion_games // 2,
    )
    return test.verdict is Verdict.BETTER, len(scores)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    chance = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    fooled = sum(any(challenge(chance, number, 0)[0] for number in range(1, 11)) for _ in range(runs))
    low, high = wilson(fooled, runs)
    sys.stdout.write(
        f"ten useless challengers a run: one passed in {fooled} of {runs} runs, {fooled / runs:.3f}"
        f" [{low:.3f}, {high:.3f}]; stated: at most {TournamentConfig().promotion_alpha}\n"
    )
    for number in (1, 10):
        for gain in (0.02, 0.05, 0.1):
            results = [challenge(chance, number, gain) for _ in range(runs // 4)]
            passed = sum(passed for passed, _ in results)
            games = 2 * np.mean([pairs for _, pairs in results])
            sys.stdout.write(
                f"challenger {number}, better by {gain}: passed {passed} of {runs // 4}, {games:.0f} games\n"
            )


if __name__ == "__main__":
    main()
