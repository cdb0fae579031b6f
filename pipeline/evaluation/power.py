"""What a comparison of a given size can see."""

from math import sqrt
from statistics import NormalDist

LEVEL = 0.05


def power_of_fixed_games(
    games: int, gain: float, level: float = LEVEL, base: float = 0.5, rival_games: int | None = None
) -> float:
    """Probability that a one-sided test at `level` on so many games finds a true gain in win rate.

    The normal approximation for a binomial share. At 30 games against a known base rate a gain of three points is
    found with about 9 %, against a base rate itself measured on 30 games with 8 %: a benchmark of this size is blind.

    Args:
        games: games of the candidate.
        gain: true difference in win rate, 0..1.
        level: probability of finding a gain that is not there.
        base: win rate of the one to beat.
        rival_games: games behind `base`; None: it is known exactly (a match of the two against each other).
    """
    variance_base = base * (1 - base)
    won = min(1.0, base + gain)
    variance_won = won * (1 - won)
    rival = variance_base / rival_games if rival_games else 0.0
    error_null = sqrt(variance_base / games + rival)
    error_true = sqrt(variance_won / games + rival)
    threshold = NormalDist().inv_cdf(1 - level) * error_null
    if error_true == 0:
        return 1.0 if gain > threshold else 0.0
    return 1 - NormalDist().cdf((threshold - gain) / error_true)


def chance_of_higher_mean(games: int, gain: float, margin: float, base: float = 0.5) -> float:
    """Probability that the plain comparison "it measured better by `margin`" says yes at a true `gain`.

    At a gain of 0 this is its rate of false alarms: nearly one half.
    """
    won = min(1.0, max(0.0, base + gain))
    error = sqrt(won * (1 - won) / games)
    if error == 0:
        return 1.0 if gain > margin else 0.0
    return 1 - NormalDist().cdf((margin - gain) / error)
