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

import numpy as np
from numpy.typing import NDArray

EMPTY_CELL = 1e-3
"""What an outcome never seen counts as, so that a handful of pairs does not rule it out for ever (as in Fishtest)."""
HALVINGS = 52
"""As many as a double has bits."""
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
    values = np.asarray(support, dtype=np.float64)
    seen = np.asarray(counts, dtype=np.float64)
    if values.shape != seen.shape:
        raise ValueError(f"{len(support)} outcomes but {len(counts)} counts")
    if not (values[0] < mean0 < values[-1] and values[0] < mean1 < values[-1]):
        raise ValueError(f"means {mean0} and {mean1} must lie inside {values[0]}..{values[-1]}")
    seen = np.where(seen == 0, EMPTY_CELL, seen)
    shares = seen / seen.sum()
    tilt0, tilt1 = (1 + _multiplier(values - mean, shares) * (values - mean) for mean in (mean0, mean1))
    return float(np.sum(seen * np.log(tilt0 / tilt1)))


def _multiplier(deviations: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """The x with sum p_i d_i / (1 + x d_i) = 0: p_i / (1 + x d_i) is then the likeliest distribution of that mean.

    The sum falls in x from plus to minus infinity between its outer poles, so halving the interval finds the one root.
    """
    low, high = -1 / float(deviations[-1]), -1 / float(deviations[0])
    weighted = shares * deviations
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if np.sum(weighted / (1 + middle * deviations)) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


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
