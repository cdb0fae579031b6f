"""Promotion: whether a candidate takes the champion's place, decided by games and replayed from them alike.

1. One GSPRT on paired games against the champion (`pipeline.evaluation.sequential`): every seed is played from all
   seats and counts once, as the candidate's score against par. The bounds are a gain of `null_gain` and one of
   `better_gain`; a candidate that gains nothing passes with probability alpha_k at most, one that gains `better_gain`
   fails with `beta`, unless `max_seeds` come first, which is no promotion.
2. No regression: on the same fresh seeds candidate and champion play every snake of the pool. Found worse against any
   of them, or against all together, the candidate is turned down; `regression_alpha` is shared between these looks.
3. A measurement on seeds that no decision has seen. The sequential test stops where its games look good, so their mean
   is too hopeful; the measurement is not selected by anything and its mean is the gain that is shown.

Error rate of a whole run: its k-th test may use alpha_k = alpha / (zeta(3/2) k^(3/2)). The alpha_k sum to alpha, so by
Boole's inequality the chance that a run promotes anything that is no better is at most alpha, however long it lasts
(alpha spending over tests in place of looks, as `pipeline.evaluation.promotion`). Steps 2 and 3 add nothing to it.

A change that alters no move is noticed early: where the first `UNCHANGED_SEEDS` seeds give the same game from every
seat, transcript for transcript, the two play alike, and nothing further is played.

Everything here is pure: outcomes in the order of their seeds go in, a decision comes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import pow, sqrt
from statistics import NormalDist, fmean

from pipeline.evaluation.intervals import CONFIDENCE, WinRate, measure_blocks
from pipeline.evaluation.sequential import PAIR_DIFFERENCES, PENTANOMIAL, Hypotheses, SequentialTest
from pipeline.tuner.jobs import GameResult

UNCHANGED_SEEDS = 2
"""So many first seeds with identical transcripts, 4 games in a duel, show that a change alters no move."""
LOOK_EVERY_SEEDS, LATER_EVERY, LATER = 4, 16, 128
"""Seeds between two looks at the verdict, at first and from `LATER` seeds on."""
ZETA = 2.612375348685488
"""The sum of k^(-3/2) over all k."""
SPENDING = 1.5


class GateVerdict(StrEnum):
    """What became of a candidate, and why."""

    PROMOTED = "promoted"
    NOT_BETTER = "not_better"
    NO_MOVE_CHANGED = "no_move_changed"
    UNDECIDED = "undecided"
    """`max_seeds` were played without a verdict."""
    REGRESSED = "regressed"
    """Better than the champion, but worse than it against the pool."""


@dataclass(frozen=True)
class GateRules:
    """What the gate tells apart, and how often it may be wrong.

    Raises:
        ValueError: gains or error rates that make no test.
    """

    better_gain: float = 0.03
    """Gain in score that should be found."""
    null_gain: float = 0.0
    """At or below it a candidate counts as no better."""
    alpha: float = 0.05
    """Chance that a whole run promotes anything that is no better."""
    beta: float = 0.10
    """Chance that a test misses a candidate that gains `better_gain`."""
    max_seeds: int = 5000
    regression_alpha: float = 0.05
    """Chance that a candidate as good as the champion is turned down for the pool's sake."""
    measure_seeds: int = 500

    def __post_init__(self) -> None:
        if self.max_seeds < 1 or self.measure_seeds < 0 or not 0 < self.regression_alpha < 0.5:
            raise ValueError("max_seeds must be positive, measure_seeds not negative, regression_alpha in 0..0.5")
        self.hypotheses(1)

    def alpha_of(self, number: int) -> float:
        """The share of `alpha` that the run's test `number` (from 1) may use."""
        return self.alpha / (ZETA * pow(number, SPENDING))

    def hypotheses(self, number: int) -> Hypotheses:
        """The bounds and error rates of the run's test `number`.

        The upper bound is 1 / alpha_k, which a likelihood ratio of equals passes with probability alpha_k at most
        (Ville's inequality), and not Wald's (1 - beta) / alpha_k, which holds but nearly.
        """
        alpha = (1 - self.beta) * self.alpha_of(number)
        return Hypotheses(0.5 + self.null_gain, 0.5 + self.better_gain, alpha, self.beta)

    def promise(self) -> str:
        """The rule in two sentences, for the start of a run and for the report."""
        return (
            f"A candidate is promoted if one sequential test (GSPRT on paired games, gain {self.null_gain:+.1%} against"
            f" {self.better_gain:+.1%}) finds it better; of {1 / self.alpha:.0f} whole runs in which nothing is"
            f" better, at most one promotes anything. One that gains {self.better_gain:.1%} is missed by a test with"
            f" {self.beta:.0%}; the gain shown is measured on {self.measure_seeds} seeds that decided nothing."
        )


@dataclass(frozen=True)
class SeedOutcome:
    """What one seed, played from all seats, said."""

    against_par: float
    """0.5 plus the candidate's mean score a seat less what it would be among equals; in duels its mean score."""
    unchanged: bool = False
    """Every rotation gave the same transcript."""


def outcome_of(games: Sequence[GameResult], candidate: int = 0) -> SeedOutcome:
    """The outcome of one seed's games, one of every rotation.

    Args:
        candidate: which participant of the job is judged.

    Raises:
        ValueError: no games, or games of several seeds.
    """
    if len({game.seed for game in games}) != 1:
        raise ValueError("an outcome is made of the games of one seed")
    own = [score for game in games for score, who in zip(game.scores, game.rotation, strict=True) if who == candidate]
    par = fmean(1 / len(game.rotation) for game in games)
    transcripts = {game.transcript for game in games}
    return SeedOutcome(0.5 + fmean(own) - par, len(games) > 1 and len(transcripts) == 1)


def outcomes_of(games: Sequence[GameResult], candidate: int = 0) -> list[SeedOutcome]:
    """The outcomes of a job's games in the order in which the seeds appear."""
    by_seed: dict[int, list[GameResult]] = {}
    for game in games:
        by_seed.setdefault(game.seed, []).append(game)
    return [outcome_of(played, candidate) for played in by_seed.values()]


@dataclass(frozen=True)
class GateDecision:
    """A decision and what it stands on."""

    verdict: GateVerdict | None
    """None: play on."""
    number: int
    seeds: int
    """Outcomes that the decision used: what was played beyond them decides nothing."""
    gain: float
    """Mean of the deciding outcomes less 0.5. Too hopeful after a promotion: not the number to show."""
    ratio: float
    lower: float
    upper: float
    """The log-likelihood ratio and its bounds."""
    path: tuple[tuple[int, float], ...]
    """The ratio after so many seeds, at every look."""


class GateTest:
    """The first step, seed by seed.

    Args:
        number: which test of the run this is, from 1.
        support: the possible outcomes, ascending; default: those of a duel. See `support_of`.
    """

    def __init__(self, rules: GateRules, number: int, support: Sequence[float] = PENTANOMIAL) -> None:
        self.rules, self.number = rules, number
        self._test = SequentialTest(rules.hypotheses(number), support)
        self._path: list[tuple[int, float]] = []
        self._seeds, self._sum, self._unchanged = 0, 0.0, True
        self._verdict: GateVerdict | None = None

    @property
    def decided(self) -> bool:
        """Whether further outcomes change nothing."""
        return self._verdict is not None

    def add(self, outcome: SeedOutcome) -> None:
        """Count the next seed; after the decision it is ignored."""
        if self.decided:
            return
        self._test.add(min(self._test.support, key=lambda value: abs(value - outcome.against_par)))
        self._seeds += 1
        self._sum += outcome.against_par
        self._unchanged = self._unchanged and outcome.unchanged
        last = self._seeds >= self.rules.max_seeds
        if self._seeds == UNCHANGED_SEEDS and self._unchanged:
            self._verdict = GateVerdict.NO_MOVE_CHANGED
        elif last or self._seeds % (LOOK_EVERY_SEEDS if self._seeds <= LATER else LATER_EVERY) == 0:
            self._look(last)

    def _look(self, last: bool) -> None:
        ratio, bounds = self._test.ratio, self._test.hypotheses
        self._path.append((self._seeds, ratio))
        if ratio >= bounds.upper:
            self._verdict = GateVerdict.PROMOTED
        elif ratio <= bounds.lower:
            self._verdict = GateVerdict.NOT_BETTER
        elif last:
            self._verdict = GateVerdict.UNDECIDED

    def decision(self) -> GateDecision:
        """What the outcomes so far say."""
        bounds = self._test.hypotheses
        return GateDecision(
            verdict=self._verdict,
            number=self.number,
            seeds=self._seeds,
            gain=self._sum / self._seeds - 0.5 if self._seeds else 0.0,
            ratio=self._path[-1][1] if self._path else 0.0,
            lower=bounds.lower,
            upper=bounds.upper,
            path=tuple(self._path),
        )


def decide(
    rules: GateRules, number: int, outcomes: Sequence[SeedOutcome], support: Sequence[float] = PENTANOMIAL
) -> GateDecision:
    """The first step on outcomes in the order of their seeds: the same as when they came one by one."""
    test = GateTest(rules, number, support)
    for outcome in outcomes:
        test.add(outcome)
        if test.decided:
            break
    return test.decision()


def decide_by_mean(rules: GateRules, games: int, least_gain: float, outcomes: Sequence[SeedOutcome]) -> GateDecision:
    """The guide's rule, `--accept mean`: better by more than `least_gain` on so many games, and nothing else.

    It says yes to almost every second change that does nothing; the start of a run warns of it.
    """
    used = outcomes[: -(-games // 2)]
    gain = fmean(outcome.against_par for outcome in used) - 0.5 if used else 0.0
    verdict = None
    if 2 * len(used) >= games:
        verdict = GateVerdict.PROMOTED if gain > least_gain else GateVerdict.NOT_BETTER
    bounds = rules.hypotheses(1)
    return GateDecision(verdict, 1, len(used), gain, 0.0, bounds.lower, bounds.upper, ())


def support_of(seats: Sequence[int], paired: bool = False) -> tuple[float, ...]:
    """The outcomes that seeds can have where so many seats are played (2; 4; or 2 and 4 where both count).

    Args:
        paired: outcomes are 0.5 plus the difference of candidate and champion against the same third snake.
    """
    if set(seats) == {2}:
        return PAIR_DIFFERENCES if paired else PENTANOMIAL
    low, high = (-0.5, 1.5) if paired else (0.0, 1.25)
    return tuple(low + step / 48 for step in range(round((high - low) * 48) + 1))


@dataclass(frozen=True)
class PoolScore:
    """Candidate and champion against one snake of the pool, or against all of it."""

    opponent: str
    """Empty: all together."""
    seeds: int
    difference: float
    """The candidate's mean score less the champion's on the same seeds."""
    p_value: float
    """Of so large a loss, or a larger one, where the two are equally good."""
    worse: bool


def no_regression(rules: GateRules, scores: Mapping[str, Sequence[tuple[float, float]]]) -> tuple[PoolScore, ...]:
    """The second step: where the candidate is found worse, with chance `regression_alpha` for all looks together.

    Args:
        scores: opponent -> per seed the candidate's and the champion's mean score against it.
    """
    if not scores:
        return ()
    every = [pair for pairs in scores.values() for pair in pairs]
    looks = [("", every), *scores.items()] if len(scores) > 1 else list(scores.items())
    level = rules.regression_alpha / len(looks)
    return tuple(_compared(opponent, pairs, level) for opponent, pairs in looks)


def _compared(opponent: str, pairs: Sequence[tuple[float, float]], level: float) -> PoolScore:
    differences = [candidate - champion for candidate, champion in pairs]
    count = len(differences)
    mean = fmean(differences) if differences else 0.0
    p_value = 1.0
    if count > 1:
        # One loss more keeps a handful of alike differences from having no spread at all.
        spread = (sum((value - mean) ** 2 for value in differences) + 1) / (count - 1)
        p_value = NormalDist().cdf(mean / sqrt(spread / count))
    return PoolScore(opponent, count, mean, p_value, p_value < level)


@dataclass(frozen=True)
class MeasuredGain:
    """The third step: the number that is shown."""

    gain: float
    low: float
    high: float
    """95 % interval of the gain in score."""
    seeds: int


def measured_gain(outcomes: Sequence[SeedOutcome], games_per_seed: int = 2) -> MeasuredGain | None:
    """The gain on unseen seeds; None without any. It is unbiased: no decision depends on these games."""
    if not outcomes:
        return None
    values = [outcome.against_par for outcome in outcomes]
    if min(values) < 0 or max(values) > 1:  # no shares: differences of two scores, or those of games of four
        return _measured_by_spread(values)
    rate: WinRate = measure_blocks(values, games_per_seed)
    return MeasuredGain(rate.win_rate - 0.5, rate.low - 0.5, rate.high - 0.5, len(outcomes))


def _measured_by_spread(values: Sequence[float]) -> MeasuredGain:
    mean = fmean(values)
    spread = (sum((value - mean) ** 2 for value in values) + 1) / max(1, len(values) - 1)
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(spread / len(values))
    return MeasuredGain(mean - 0.5, mean - 0.5 - half, mean - 0.5 + half, len(values))


def concluded(decision: GateDecision, comparisons: Sequence[PoolScore]) -> GateVerdict | None:
    """The whole gate's word: a promotion stands unless the pool shows a loss."""
    if decision.verdict is GateVerdict.PROMOTED and any(comparison.worse for comparison in comparisons):
        return GateVerdict.REGRESSED
    return decision.verdict
