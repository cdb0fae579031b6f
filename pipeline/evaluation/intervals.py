"""How sure a win rate is, of single games and of pairs, and what a comparison of a given size can see."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

CONFIDENCE = 0.95
LEVEL = 0.05


@dataclass(frozen=True)
class WinRate:
    """A win rate and the games behind it. A draw counts half."""

    win_rate: float
    low: float
    high: float
    games: int


def wilson(score: float, games: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval for a share of `score` out of `games` (Wilson 1927, JASA 22, 209-212).

    Args:
        score: points won, 0..games; halves allowed (a draw's variance is smaller, so the interval stays valid).
        games: games played; fractions allowed, for an effective number.
        confidence: probability that the interval covers the truth.

    Raises:
        ValueError: no games, or a score outside 0..games.
    """
    if games <= 0 or not 0 <= score <= games:
        raise ValueError(f"score {score} of {games} games is no share")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = score / games
    spread = 1 + z * z / games
    centre = (share + z * z / (2 * games)) / spread
    half = z * sqrt(share * (1 - share) / games + z * z / (4 * games * games)) / spread
    low = 0.0 if score == 0 else max(0.0, centre - half)
    high = 1.0 if score == games else min(1.0, centre + half)
    return low, high


def measure_pairs(pair_scores: Sequence[float], confidence: float = CONFIDENCE) -> WinRate:
    """The win rate over pairs of games on the same seed: `measure_blocks` of two games each.

    Raises:
        ValueError: no pairs.
    """
    return measure_blocks(pair_scores, 2, confidence)


def measure_blocks(block_scores: Sequence[float], games_per_block: float, confidence: float = CONFIDENCE) -> WinRate:
    """The win rate over blocks of games on the same seed, with an interval that is never too hopeful.

    The games of a block share board and food, so they are not independent. The interval is Wilson's on an
    effective number of games: the true number divided by the design effect (Kish 1965), the variance seen between
    blocks over the one that independent games would show, and never less than 1, so that a few alike blocks by luck do
    not narrow it.

    Args:
        block_scores: the mean score of each block's games, each in 0..1.
        games_per_block: games in each of them.

    Raises:
        ValueError: no blocks.
    """
    blocks = len(block_scores)
    if not blocks:
        raise ValueError("a win rate needs at least one pair or block of games")
    games = blocks * games_per_block
    rate = min(1.0, max(0.0, sum(block_scores) / blocks))
    independent = rate * (1 - rate) / games_per_block
    effect = 1.0
    if blocks > 1 and independent > 0:
        between = sum((score - rate) ** 2 for score in block_scores) / (blocks - 1)
        effect = max(1.0, between / independent)
    effective = games / effect
    low, high = wilson(rate * effective, effective, confidence)
    return WinRate(win_rate=rate, low=low, high=high, games=round(games))


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
