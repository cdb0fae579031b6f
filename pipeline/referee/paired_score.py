"""A snake's score as the tuner counts it, and its interval over pairs: the games of a seed are no independent games."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from statistics import NormalDist

from pipeline.referee.outcome import GameOutcome, PairOutcome, SnakeOutcome

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class PairedScore:
    """The mean score over whole pairs, 0 to 1, with its 95 % interval; nan where no pair is whole."""

    mean: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        """As `62.5% [48.4%, 74.8%]`; a dash without pairs."""
        return f"{self.mean:.1%} [{self.low:.1%}, {self.high:.1%}]" if self.pairs else "-"


def paired_score(pairs: Sequence[PairOutcome], contestant: int) -> PairedScore:
    """Return the contestant's score over these pairs, those left out in which it did not play.

    The interval is Wilson's (1927) with each pair as one trial: a score between 0 and 1 varies no more than a coin of
    the same mean, so it is never too narrow for that.
    """
    own = [pair for pair in pairs if contestant in pair.games[0].spec.seats]
    scores = [sum(game_score(game, contestant) for game in pair.games) / len(pair.games) for pair in own]
    if not scores:
        return PairedScore(nan, nan, nan, 0)
    count, mean = len(scores), sum(scores) / len(scores)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (mean + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(mean * (1 - mean) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return PairedScore(mean, max(0.0, middle - half), min(1.0, middle + half), count)


def game_score(game: GameOutcome, contestant: int) -> float:
    """Return the share of the others' snakes that the contestant's outlived, a tie half.

    A snake that failed to answer is never beaten by that: where one of two failed and the other did not, the other gets
    at most a half. So the tuner counts (`pipeline.tuner.contest`), and so a draw is a half, whoever died how.
    """
    own = [snake for snake in game.snakes if snake.contestant == contestant]
    others = [snake for snake in game.snakes if snake.contestant != contestant]
    points = [_point(mine, theirs) for mine in own for theirs in others]
    return sum(points) / len(points) if points else nan


def _point(mine: SnakeOutcome, theirs: SnakeOutcome) -> float:
    ends = mine.died_on_turn or inf, theirs.died_on_turn or inf
    point = 1.0 if ends[0] > ends[1] else 0.5 if ends[0] == ends[1] else 0.0
    if bool(mine.failures) == bool(theirs.failures):
        return point
    return min(point, 0.5) if theirs.failures else max(point, 0.5)
