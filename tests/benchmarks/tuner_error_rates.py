"""How often the tuner keeps candidates of known strength: `python tests/benchmarks/tuner_error_rates.py [CANDIDATES]`.

Simulated games with the default settings: of each true gain, the share that passes the first test, the share that is
kept after the second one, and the games this takes.
"""

import random
import sys

from pipeline.evaluation.sequential import Hypotheses, SequentialTest, Verdict
from pipeline.tuner.promises import false_keeps_per_100, power_at_target
from schemas.tuning import TunerSettings

SETTINGS = TunerSettings()
HYPOTHESES = Hypotheses(
    0.5 + SETTINGS.min_improvement, 0.5 + SETTINGS.target_improvement, SETTINGS.alpha, SETTINGS.beta
)


def passes(gain: float, limit: int, chance: random.Random) -> tuple[bool, int]:
    """Run one test on games that are won with probability 0.5 + gain; returns its success and the games played."""
    test, games = SequentialTest(HYPOTHESES), 0
    while games < limit:
        for _ in range(SETTINGS.games // 2):
            test.add(sum(chance.random() < 0.5 + gain for _ in range(2)) / 2)
        games += SETTINGS.games
        verdict = test.verdict
        if verdict is not Verdict.UNDECIDED:
            return verdict is Verdict.BETTER, games
    return False, games


def main(candidates: int) -> None:
    chance = random.Random(20261121)
    stated = false_keeps_per_100(SETTINGS), power_at_target(SETTINGS)
    print(f"stated: {stated[0]:.2f} of 100 useless ones kept; {stated[1]:.0%} of those that gain 5 %")
    print("gain    passed first  kept     games for a verdict")
    for gain in (-0.05, 0.0, 0.001, 0.01, 0.025, 0.05, 0.1):
        first = kept = played = 0
        for _ in range(candidates):
            passed, games = passes(gain, SETTINGS.max_games, chance)
            first += passed
            played += games
            if passed:
                confirmed, games = passes(gain, SETTINGS.confirm_games, chance)
                kept += confirmed
                played += games
        print(f"{gain:+.1%}   {first / candidates:8.2%}   {kept / candidates:8.2%}   {played / candidates:8.0f}")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
