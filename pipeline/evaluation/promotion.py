"""Whether a challenger becomes champion: a sequential test of duels, a look at a frozen pool, a fresh measurement.

1. Duels with the champion on fresh seeds, each from both seats, until the GSPRT on pairs (`sequential.py`) decides
   between a mean score of 1/2 and one of 1/2 + `minimum_improvement`, or `max_promotion_games` are played.
2. If better: challenger and champion play every player of a frozen pool (heuristics, past champions) on the same
   fresh seeds. A challenger found worse than the champion against any of them, or against all together, is turned
   down; the level `promotion_alpha` is shared equally between these comparisons (Bonferroni).
3. If promoted: fresh duels that no decision used measure by how much; the sequential test stops where its games
   look good, so their mean is biased.

Error rate over many challengers: challenger number k is tested at alpha_k = alpha / (zeta(3/2) k^(3/2)). The alpha_k
sum to alpha, so that by Boole's inequality the chance that any challenger who is not better passes, however many
come, is at most alpha (alpha spending, over tests in place of looks). Step 2 can only turn down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import zeta

from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.block_scores import count_blocks, sign_test
from pipeline.evaluation.intervals import measure_pairs
from pipeline.evaluation.measurement import Play, conditions_text
from pipeline.evaluation.sequential import PENTANOMIAL, Hypotheses, SequentialTest, Verdict
from pipeline.simulator.competitor import Competitor, every_seating, seatings_of
from pipeline.simulator.matches import play_matches
from schemas.errors import SettingsError
from schemas.model import EvaluationResult, Measured
from schemas.promotion import FirstModel, PoolComparison, PromotionDecision, PromotionOutcome, SequentialEvidence
from schemas.training import TournamentConfig

LOOK_EVERY_PAIRS: Final = 64
"""Pairs between two looks at the verdict: a batch that keeps the players busy."""
_DUEL_CONDITIONS: Final = GameConditions(snakes=2)
_SPENDING: Final = 1.5
_DUELS, _POOL, _REMEASURE = range(3)

_OUTCOMES: Final = {
    Verdict.BETTER: PromotionOutcome.PROMOTED,
    Verdict.NOT_BETTER: PromotionOutcome.NOT_BETTER,
    Verdict.UNDECIDED: PromotionOutcome.UNDECIDED,
}

Duel = Callable[[Competitor, Competitor, NDArray[np.int64]], NDArray[np.float64]]
"""Plays each seed from both seats; returns the first player's mean score of each pair."""


def play_pairs(
    first: Competitor,
    second: Competitor,
    seeds: NDArray[np.int64],
    conditions: GameConditions,
    *,
    threads: int = 1,
    stop: Callable[[], bool] | None = None,
    play: Play = play_matches,
) -> NDArray[np.float64]:
    """Play each seed from both seats; return the first player's mean score of each pair, float64[seeds] of 0 to 1.

    Raises:
        GameStateError, StoppedError: as `play_matches`.
    """
    games = every_seating(seatings_of(2, 2), seeds)
    finished = play([first, second], *games, conditions, threads=threads, stop=stop)
    return np.asarray(count_blocks(finished, 2, 2).scores[:, 0, 1])


def alpha_of(number: int, alpha: float) -> float:
    """Return the error rate that the test of challenger `number` (from 1) may use, of `alpha` for all together."""
    return float(alpha / (zeta(_SPENDING) * number**_SPENDING))


def hypotheses_of(config: TournamentConfig, number: int) -> Hypotheses:
    """Return what the test of challenger `number` tells apart.

    Raises:
        SettingsError: no improvement is asked for, which no test can find.
    """
    if config.minimum_improvement <= 0:
        raise SettingsError(
            "a promotion test needs an improvement to look for",
            where="tournament.minimum_improvement = 0",
            remedy="Give the smallest gain in win rate worth a promotion, such as 0.02.",
        )
    alpha = alpha_of(number, config.promotion_alpha)
    return Hypotheses(0.5, 0.5 + config.minimum_improvement, alpha, config.promotion_beta)


def sequential_duels(
    pair_scores: Callable[[int, int], NDArray[np.float64]],
    hypotheses: Hypotheses,
    most_pairs: int,
    enough: Callable[[], bool] = lambda: False,
) -> tuple[SequentialTest, NDArray[np.float64]]:
    """Ask for pairs until the test decides or `most_pairs` are played; return the test and all scores it saw.

    Args:
        pair_scores: plays the pairs first .. end - 1 and returns their mean scores, float64[end - first] of 0 to 1.
        enough: asked between two looks, the first one excepted; once it says so the test stays undecided. It must not
            go by the scores: only then the error rates hold.
    """
    test, seen = SequentialTest(hypotheses, PENTANOMIAL), np.zeros(0)
    while test.verdict is Verdict.UNDECIDED and len(seen) < most_pairs and not (len(seen) and enough()):
        scores = pair_scores(len(seen), min(len(seen) + LOOK_EVERY_PAIRS, most_pairs))
        for score in scores.tolist():
            test.add(score)
        seen = np.concatenate([seen, scores])
    return test, seen


@dataclass(frozen=True)
class TrialPlan:
    """How a challenger is tested: what the test must find, its number and seed, and how its duels are played.

    Attributes:
        number: which challenger of the run this is, from 1: the number of tests made before, plus one.
        seed: of all games.
        conditions: of the duels; always two snakes.
        threads: that play.
        stop: asked between games; True ends the test with StoppedError.
        report: told a line after each step.
        play: plays the games; a journal that holds some already does not play these again.
        enough: whether the time for the duels is over; the challenger then is not promoted. What follows a won test
            (pool, fresh measurement) is always played to its end: its length is known.
    """

    config: TournamentConfig
    number: int
    seed: int
    conditions: GameConditions = _DUEL_CONDITIONS
    threads: int = 1
    stop: Callable[[], bool] | None = None
    report: Callable[[str], None] = lambda _line: None
    play: Play = play_matches
    enough: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", replace(self.conditions, snakes=2))

    def duel(self, first: Competitor, second: Competitor, seeds: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `play_pairs`."""
        return play_pairs(first, second, seeds, self.conditions, threads=self.threads, stop=self.stop, play=self.play)


def decide_promotion(
    challenger: Competitor, champion: Competitor, pool: Sequence[Competitor], plan: TrialPlan
) -> PromotionDecision:
    """Test a challenger and decide.

    Args:
        pool: the frozen opponents; those called as challenger or champion are left out. May be empty.

    Raises:
        GameStateError, StoppedError: as `play_matches`.
        SettingsError: `minimum_improvement` is 0.
    """
    return ChallengerTest(challenger, champion, plan, plan.duel).decide(pool, conditions_text(plan.conditions))


@dataclass
class ChallengerTest:
    """One challenger's test, by whatever plays its duels."""

    challenger: Competitor
    champion: Competitor
    plan: TrialPlan
    duel: Duel
    games: int = 0

    def decide(self, pool: Sequence[Competitor], conditions: str) -> PromotionDecision:
        """Play and decide, as `decide_promotion` says; `conditions` is what the record tells of them."""
        outcome, duels = self.against_champion()
        compared: list[PoolComparison] = []
        others = [player for player in pool if player.name not in (self.challenger.name, self.champion.name)]
        if outcome is PromotionOutcome.PROMOTED and others:
            compared = self._against_pool(others)
            if any(comparison.worse for comparison in compared):
                outcome = PromotionOutcome.REGRESSED
        promoted = outcome is PromotionOutcome.PROMOTED
        remeasured = self._fresh_measure() if promoted else None
        return PromotionDecision(
            challenger=self.challenger.name,
            champion=self.champion.name,
            promoted=promoted,
            outcome=outcome,
            reason=reason_of(outcome, duels, compared, self.champion.name),
            number=self.plan.number,
            seed=self.plan.seed,
            conditions=conditions,
            duels=duels,
            pool=compared,
            pool_level=self._level(others) if compared else None,
            remeasured=remeasured,
            games=self.games,
        )

    def against_champion(self) -> tuple[PromotionOutcome, SequentialEvidence]:
        """Play the sequential test's duels; PROMOTED where they say better, whatever a pool would."""
        most_pairs = self.plan.config.max_promotion_games // 2
        seeds = fresh_seeds(_stage_seed(self.plan.seed, _DUELS), most_pairs)
        hypotheses = hypotheses_of(self.plan.config, self.plan.number)

        def pair_scores(first: int, end: int) -> NDArray[np.float64]:
            scores = self._duel(self.challenger, self.champion, seeds[first:end])
            self.plan.report(f"{end} of at most {most_pairs} pairs of duels with {self.champion.name} played")
            return scores

        test, scores = sequential_duels(pair_scores, hypotheses, most_pairs, self.plan.enough)
        return _OUTCOMES[test.verdict], SequentialEvidence(
            score=self._measured(scores, _DUELS, f"duels with {self.champion.name} until the sequential test decided"),
            pair_counts=test.counts,
            log_likelihood_ratio=test.ratio,
            lower=hypotheses.lower,
            upper=hypotheses.upper,
            null_mean=hypotheses.null_mean,
            better_mean=hypotheses.better_mean,
            alpha=hypotheses.alpha,
            beta=hypotheses.beta,
        )

    def _against_pool(self, pool: Sequence[Competitor]) -> list[PoolComparison]:
        seeds = fresh_seeds(_stage_seed(self.plan.seed, _POOL), -(-self.plan.config.games_per_matchup // 2))
        mine = np.stack([self._duel(self.challenger, player, seeds) for player in pool])
        theirs = np.stack([self._duel(self.champion, player, seeds) for player in pool])
        compared = [self._compared(player.name, mine[index], theirs[index], pool) for index, player in enumerate(pool)]
        if len(pool) > 1:
            compared.append(self._compared("all of them", mine.mean(0), theirs.mean(0), pool, len(pool)))
        self.plan.report(
            f"{sum(comparison.worse for comparison in compared)} of {len(compared)} pool comparisons are worse"
        )
        return compared

    def _compared(
        self,
        opponent: str,
        mine: NDArray[np.float64],
        theirs: NDArray[np.float64],
        pool: Sequence[Competitor],
        times: int = 1,
    ) -> PoolComparison:
        p_worse = sign_test(0.5 + (mine - theirs) / 2, "less")
        how = f"duels with {opponent}, challenger and champion on the same seeds"
        return PoolComparison(
            opponent=opponent,
            challenger=self._measured(mine, _POOL, how, times),
            champion=self._measured(theirs, _POOL, how, times),
            p_worse=p_worse,
            worse=p_worse < self._level(pool),
        )

    def _level(self, pool: Sequence[Competitor]) -> float:
        return self.plan.config.promotion_alpha / (len(pool) + (len(pool) > 1))

    def _fresh_measure(self) -> Measured:
        seeds = fresh_seeds(_stage_seed(self.plan.seed, _REMEASURE), -(-self.plan.config.remeasure_games // 2))
        scores = self._duel(self.challenger, self.champion, seeds)
        return self._measured(scores, _REMEASURE, f"duels with {self.champion.name} after the decision, fresh seeds")

    def _duel(self, first: Competitor, second: Competitor, seeds: NDArray[np.int64]) -> NDArray[np.float64]:
        self.games += 2 * len(seeds)
        return self.duel(first, second, seeds)

    def _measured(self, pair_scores: NDArray[np.float64], stage: int, how: str, times: int = 1) -> Measured:
        """`times`: opponents whose pairs each score is the mean of; counted as games, not towards the interval."""
        measured = measure_pairs(pair_scores.tolist(), self.plan.config.confidence_level)
        return Measured(
            value=measured.win_rate,
            low=measured.low,
            high=measured.high,
            games=measured.games * times,
            seed=_stage_seed(self.plan.seed, stage),
            how=f"{how}; each seed from both seats, a draw counts half",
        )


def _stage_seed(seed: int, stage: int) -> int:
    """Return a seed of its own for each stage: no game of one is a game of another."""
    return int(np.random.SeedSequence([seed, stage]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def reason_of(
    outcome: PromotionOutcome, duels: SequentialEvidence, compared: Sequence[PoolComparison], champion: str
) -> str:
    """Say in words why."""
    score = f"{duels.score.value:.3f} in {duels.score.games} duels with {champion}"
    if outcome is PromotionOutcome.REGRESSED:
        worse = ", ".join(comparison.opponent for comparison in compared if comparison.worse)
        return f"{score}, but worse than it against {worse}"
    not_worse = f"; not worse against {len(compared)} comparisons with the pool" if compared else ""
    return {
        PromotionOutcome.PROMOTED: f"better: {score}{not_worse}",
        PromotionOutcome.NOT_BETTER: f"not better by {duels.better_mean - duels.null_mean:g}: {score}",
        PromotionOutcome.UNDECIDED: f"not proven within the games that time and settings allow: {score}",
    }[outcome]


def decide_first_champion(
    challenger: Competitor, floor: Competitor | None, measured: EvaluationResult, plan: TrialPlan
) -> FirstModel:
    """Test a model that has no champion to challenge, and decide.

    The test is that of promotions (step 1 above) with the floor in the champion's place, at the same shared error
    rate: that a model which is not better than the floor passes happens at most as often as `promotion_alpha`,
    however many try.

    Args:
        floor: None: whoever comes is taken.
        measured: what else is known of the model, for the record.

    Raises:
        GameStateError, StoppedError: as `play_matches`.
        SettingsError: `minimum_improvement` is 0.
    """
    record = partial(
        FirstModel,
        measured=measured,
        floor=floor.name if floor else None,
        number=plan.number,
        seed=plan.seed,
        conditions=conditions_text(plan.conditions),
    )
    if floor is None:
        reason = "there was no champion to test against, and the settings ask for no floor"
        return record(promoted=True, outcome=PromotionOutcome.PROMOTED, reason=reason)
    trial = ChallengerTest(challenger, floor, plan, plan.duel)
    outcome, duels = trial.against_champion()
    return record(
        promoted=outcome is PromotionOutcome.PROMOTED,
        outcome=outcome,
        reason=f"there was no champion; {reason_of(outcome, duels, [], floor.name)}",
        duels=duels,
        games=trial.games,
    )
