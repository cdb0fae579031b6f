"""The sequential test that decides whether a candidate is better, on pairs of games.

It is the generalised sequential probability ratio test (GSPRT) for the mean of a discrete distribution, as Fishtest
runs it on pairs of games: Li, Liu and Ying, "Generalized sequential probability ratio test for separate families of
hypotheses", Sequential Analysis 33 (2014); Van den Bergh, "The maximum likelihood estimate of a multinomial with
given expectation" (cantate.be/Fishtest/support_MLE_multinomial.pdf, Proposition 1.1); Fishtest's `LLRcalc.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import log

EMPTY_CELL = 1e-3
"""What an outcome never seen counts as, so that a handful of pairs does not rule it out for ever (as in Fishtest)."""
MOST_STEPS, PRECISION = 200, 1e-15
"""Of the search for a root, whose steps end where they no longer change it."""
PENTANOMIAL = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Mean score of a pair of games: two losses up to two wins."""
PAIR_DIFFERENCES = tuple(step / 4 for step in range(-2, 7))
"""One half plus the difference of two pairs' mean scores on the same seed: -0.5 up to 1.5."""


class Verdict(StrEnum):
    """What the games say so far."""

    BETTER = "better"
    NOT_BETTER = "not_better"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Hypotheses:
    """The two means the test tells apart, and how often it may be wrong.

    Attributes:
        null_mean: at or below it a candidate counts as not better.
        better_mean: at or above it a candidate should be found better.
        alpha: error rate of BETTER at `null_mean`.
        beta: error rate of NOT_BETTER at `better_mean`.
    """

    null_mean: float
    better_mean: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        if not self.null_mean < self.better_mean:
            raise ValueError(f"the null mean {self.null_mean} must lie below {self.better_mean}")
        if not (0 < self.alpha < 1 and 0 < self.beta < 1 and self.alpha + self.beta < 1):
            raise ValueError(f"error rates {self.alpha} and {self.beta} must be positive and sum to less than 1")

    @property
    def lower(self) -> float:
        """The log-likelihood ratio at which the test ends with NOT_BETTER (Wald 1945)."""
        return log(self.beta / (1 - self.alpha))

    @property
    def upper(self) -> float:
        """The log-likelihood ratio at which the test ends with BETTER (Wald 1945)."""
        return log((1 - self.beta) / self.alpha)


def log_likelihood_ratio(support: Sequence[float], counts: Sequence[float], mean0: float, mean1: float) -> float:
    """The generalised log-likelihood ratio of mean `mean1` against mean `mean0`.

    Args:
        support: the possible outcomes, ascending; `mean0` and `mean1` lie strictly inside.
        counts: how often each was seen.

    Raises:
        ValueError: a mean outside the support, or lengths that differ.
    """
    if len(support) != len(counts):
        raise ValueError(f"{len(support)} outcomes but {len(counts)} counts")
    if not (support[0] < mean0 < support[-1] and support[0] < mean1 < support[-1]):
        raise ValueError(f"means {mean0} and {mean1} must lie inside {support[0]}..{support[-1]}")
    seen = [count or EMPTY_CELL for count in counts]
    tilts = []
    for mean in (mean0, mean1):
        deviations = [value - mean for value in support]
        multiplier = _multiplier(deviations, seen)
        tilts.append([1 + multiplier * deviation for deviation in deviations])
    ratios = (count * log(tilt0 / tilt1) for count, tilt0, tilt1 in zip(seen, *tilts, strict=True))
    return float(sum(ratios))


def _multiplier(deviations: Sequence[float], weights: Sequence[float]) -> float:
    """The x with sum w_i d_i / (1 + x d_i) = 0: w_i / (1 + x d_i) is then the likeliest distribution of that mean.

    The sum falls in x from plus to minus infinity between its outer poles, so it has one root there: Newton's method,
    and halving where that would leave the interval. Plain numbers are many times quicker here than arrays of five.
    """
    low, high, middle = -1 / deviations[-1], -1 / deviations[0], 0.0
    for _ in range(MOST_STEPS):
        value = slope = 0.0
        for deviation, weight in zip(deviations, weights, strict=True):
            tilted = deviation / (1 + middle * deviation)
            value += weight * tilted
            slope += weight * tilted * tilted
        low, high = (middle, high) if value > 0 else (low, middle)
        following = middle + value / slope
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - middle) <= PRECISION * max(1.0, abs(middle)):
            return following
        middle = following
    return middle


@dataclass
class SequentialTest:
    """One running test: give it outcomes, ask for its verdict at any time."""

    hypotheses: Hypotheses
    support: Sequence[float] = PENTANOMIAL
    counts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = [0] * len(self.support)

    def add(self, outcome: float) -> None:
        """Count one pair.

        Raises:
            ValueError: `outcome` is not of the support.
        """
        self.counts[self.support.index(outcome)] += 1

    @property
    def ratio(self) -> float:
        """The log-likelihood ratio so far; 0 before the first pair."""
        if not any(self.counts):
            return 0.0
        tested = self.hypotheses
        return log_likelihood_ratio(self.support, self.counts, tested.null_mean, tested.better_mean)

    @property
    def verdict(self) -> Verdict:
        """BETTER or NOT_BETTER once a bound is crossed."""
        ratio = self.ratio
        if ratio >= self.hypotheses.upper:
            return Verdict.BETTER
        return Verdict.NOT_BETTER if ratio <= self.hypotheses.lower else Verdict.UNDECIDED
