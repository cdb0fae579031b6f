"""Judging a candidate by games: decide, then confirm on unseen seeds; and measuring a configuration."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil

from pipeline.evaluation.intervals import Measured, measure_pairs
from pipeline.evaluation.sequential import PAIR_DIFFERENCES, PENTANOMIAL, Hypotheses, SequentialTest, Verdict
from pipeline.tuner.arena import Arena, Player, Round, RoundResult
from schemas.campaign import CandidateDecision
from schemas.errors import EvaluationError
from schemas.tuning import AcceptRule, TunerSettings

FAILURE_LIMIT = 0.01
"""Share of games in which a snake may fail before they must not be scored."""
JUDGED_FROM = 100
"""With fewer games than this, one failure is over the limit but proves nothing: play on until it is decided."""


@dataclass
class Games:
    """What was played in one stage of a trial."""

    own: list[float] = field(default_factory=list)
    """Per seed, the candidate's mean score."""
    gains: list[float] = field(default_factory=list)
    """Per seed, one half plus what the candidate is better by: its score in the match, or against opponents one half
    plus the difference to the best."""
    games: int = 0
    failed: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, result: RoundResult) -> None:
        """Count a round; its first match is the candidate's, a second one the best's on the same seed."""
        self.games += result.games
        self.failed += result.failed_games
        self.failures.update(result.failures)
        self.own.append(result.scores[0])
        self.gains.append(result.scores[0] if len(result.scores) == 1 else 0.5 + result.scores[0] - result.scores[1])

    @property
    def rate(self) -> Measured:
        """The candidate's win rate with its interval."""
        return measure_pairs(self.own)

    @property
    def gain(self) -> float:
        """By how much the candidate is better, in win rate: -1..1."""
        return sum(self.gains) / len(self.gains) - 0.5

    @property
    def too_many_failures(self) -> bool:
        """Over 1 % of the games, or of the first hundred."""
        return self.failed > FAILURE_LIMIT * max(self.games, JUDGED_FROM)

    @property
    def judgeable(self) -> bool:
        """Whether a verdict may stand on these games."""
        return self.failed <= FAILURE_LIMIT * self.games

    def require_sound(self) -> None:
        """Refuse to be scored.

        Raises:
            EvaluationError: over 1 % of the games had a snake that failed to answer.
        """
        if self.judgeable:
            return
        raise EvaluationError(
            f"in {self.failed} of {self.games} games a snake failed to answer; {FAILURE_LIMIT:.0%} is the limit",
            where="; ".join(f"{words} ({count} x)" for words, count in self.failures.most_common(3)),
            remedy="If the snake is only slow, raise timeout_ms or play fewer games at once.",
        )


@dataclass(frozen=True)
class Trial:
    """A judged candidate."""

    decision: CandidateDecision
    deciding: Games
    confirming: Games | None
    log_likelihood_ratio: float
    """Of the deciding test, at its end; 0 under the rule `mean`."""

    @property
    def improvement(self) -> float:
        """Gain in win rate on the confirming games (the deciding ones under the rule `mean`); 0 if not accepted."""
        if self.decision is not CandidateDecision.ACCEPTED:
            return 0.0
        return (self.confirming or self.deciding).gain


class Judge:
    """Plays candidates against the best so far, or both against the same opponents on the same seeds.

    Args:
        opponents: empty for a match of the two.
        abandon: polled during games; see `Arena.play`.
        on_games: called with every round played, for progress.
    """

    def __init__(
        self,
        arena: Arena,
        settings: TunerSettings,
        opponents: Sequence[Player],
        abandon: Callable[[], bool],
        on_games: Callable[[RoundResult], None],
    ) -> None:
        self._arena, self._settings, self._opponents = arena, settings, opponents
        self._abandon, self._on_games = abandon, on_games
        self._support = PAIR_DIFFERENCES if opponents else PENTANOMIAL
        self._hypotheses = Hypotheses(
            null_mean=0.5 + settings.min_improvement,
            better_mean=0.5 + settings.target_improvement,
            alpha=settings.alpha,
            beta=settings.beta,
        )

    def judge(
        self,
        candidate: Player,
        best: Player,
        decision_seeds: Sequence[int],
        confirmation_seeds: Sequence[int],
        on_confirming: Callable[[], None] = lambda: None,
    ) -> Trial:
        """Decide on the first seeds, and confirm a success on the second.

        Raises:
            EvaluationError: too many games failed; nothing may be concluded.
            Abandoned: the run is to stop now.
        """
        if self._settings.accept is AcceptRule.MEAN:
            return self._compare_means(candidate, best, decision_seeds)
        deciding, test = self._sequential(candidate, best, decision_seeds)
        decision = {
            Verdict.BETTER: CandidateDecision.ACCEPTED,
            Verdict.NOT_BETTER: CandidateDecision.REJECTED,
            Verdict.UNDECIDED: CandidateDecision.UNDECIDED,
        }[test.verdict]
        confirming = None
        if decision is CandidateDecision.ACCEPTED:
            on_confirming()
            confirming, again = self._sequential(candidate, best, confirmation_seeds)
            if again.verdict is not Verdict.BETTER:
                decision = CandidateDecision.NOT_CONFIRMED
        return Trial(decision, deciding, confirming, test.ratio)

    def measure(self, player: Player, reference: Player | None, seeds: Sequence[int]) -> Games:
        """Play `player` against the opponents, or without any against `reference`.

        Raises:
            EvaluationError: too many games failed; nothing may be concluded.
            Abandoned: the run is to stop now.
        """
        rivals = [reference] if reference is not None else list(self._opponents)
        rounds = [Round(seed, ((player, rivals[turn % len(rivals)]),)) for turn, seed in enumerate(seeds)]
        played = self._play(rounds, lambda _games: False)
        played.require_sound()
        return played

    def _sequential(self, candidate: Player, best: Player, seeds: Sequence[int]) -> tuple[Games, SequentialTest]:
        test = SequentialTest(self._hypotheses, self._support)
        look_every = ceil(self._settings.games / 2)

        def enough(games: Games) -> bool:
            test.add(games.gains[-1])
            look = len(games.gains) % look_every == 0
            return look and games.judgeable and test.verdict is not Verdict.UNDECIDED

        played = self._play(self._rounds(candidate, best, seeds), enough)
        played.require_sound()
        return played, test

    def _compare_means(self, candidate: Player, best: Player, seeds: Sequence[int]) -> Trial:
        rounds = self._rounds(candidate, best, seeds[: ceil(self._settings.games / 2)])
        played = self._play(rounds, lambda _games: False)
        played.require_sound()
        better = played.gain > self._settings.min_improvement
        decision = CandidateDecision.ACCEPTED if better else CandidateDecision.REJECTED
        return Trial(decision, played, None, 0.0)

    def _rounds(self, candidate: Player, best: Player, seeds: Sequence[int]) -> list[Round]:
        if not self._opponents:
            return [Round(seed, ((candidate, best),)) for seed in seeds]
        rivals = self._opponents
        return [
            Round(seed, ((candidate, rivals[turn % len(rivals)]), (best, rivals[turn % len(rivals)])))
            for turn, seed in enumerate(seeds)
        ]

    def _play(self, rounds: Sequence[Round], enough: Callable[[Games], bool]) -> Games:
        played = Games()

        def note(result: RoundResult) -> bool:
            played.add(result)
            self._on_games(result)
            return enough(played) or played.too_many_failures

        self._arena.play(rounds, note, self._abandon)
        return played
