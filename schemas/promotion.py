"""What a challenger was tested by before it became champion, or did not."""

from enum import StrEnum

from pydantic import Field

from schemas.base import Frozen
from schemas.model import EvaluationResult, Measured


class PromotionOutcome(StrEnum):
    """How a challenger's test ended."""

    PROMOTED = "promoted"
    NOT_BETTER = "not_better"
    """The sequential test found it not better than the champion by the gain looked for."""
    UNDECIDED = "undecided"
    """The most games were played without a verdict."""
    REGRESSED = "regressed"
    """Better than the champion in duels with it, but worse than the champion against the frozen pool."""


class SequentialEvidence(Frozen):
    """The challenger's duels with the champion (of a first one: with the floor) that the verdict rests on."""

    score: Measured
    """Mean score against the champion; stopped at by the test, hence a little too good where it was promoted."""
    pair_counts: list[int]
    """Pairs of games (one seed, both seatings) by their mean score 0, 1/4, 1/2, 3/4, 1."""
    log_likelihood_ratio: float
    lower: float
    upper: float
    """Bounds of the ratio: at or below `lower` not better, at or above `upper` better."""
    null_mean: float
    better_mean: float
    alpha: float
    """This challenger's part of the error rate of all."""
    beta: float


class PoolComparison(Frozen):
    """Challenger and champion against one player of the pool, or all of them together, on the same seeds."""

    opponent: str
    challenger: Measured
    champion: Measured
    p_worse: float = Field(ge=0, le=1)
    """One-sided p-value of "the challenger is not worse than the champion here" (exact sign test over seeds)."""
    worse: bool
    """Whether `p_worse` is below this comparison's level."""


class FirstModel(Frozen):
    """Whether a model becomes champion where there is none, and why. All duels follow from `seed`."""

    promoted: bool
    outcome: PromotionOutcome
    reason: str
    measured: EvaluationResult
    """In duels with the strong heuristic."""
    floor: str | None
    """The player it had to beat; None: the settings asked for none."""
    number: int = Field(ge=1)
    """Which challenger of the run this was: the error rate is shared out by it."""
    seed: int
    conditions: str
    duels: SequentialEvidence | None = None
    """With the floor."""
    games: int = Field(default=0, ge=0)
    """Played with the floor."""


class PromotionDecision(Frozen):
    """Whether a challenger becomes champion, and every number behind it. All games follow from `seed`."""

    challenger: str
    champion: str
    promoted: bool
    outcome: PromotionOutcome
    reason: str
    number: int = Field(ge=1)
    """Which challenger of the run this was: the error rate is shared out by it."""
    seed: int
    conditions: str
    duels: SequentialEvidence
    pool: list[PoolComparison] = Field(default_factory=list)
    """Empty where the duels decided already; last: all opponents together."""
    pool_level: float | None = None
    """Level of each comparison in `pool`."""
    remeasured: Measured | None = None
    """Mean score against the champion on fresh games that no decision used; of promoted challengers only."""
    games: int = Field(ge=0)
    """All games played for this decision."""
