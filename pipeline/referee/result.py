"""What came of a match: its games, its pairs, each contestant's tally, and whether it may be scored at all."""

from array import array
from collections import Counter
from dataclasses import dataclass

import numpy as np

from pipeline.referee.outcome import Ending, Failure, GameOutcome, PairOutcome, SnakeOutcome
from pipeline.referee.schedule import FAILURE_LIMIT, ScheduledGame
from schemas.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class ContestantTally:
    """One contestant over all finished games; a contestant in several seats of a game counts once per seat."""

    name: str
    seats: int
    wins: int
    draws: int
    losses: int
    turn_limits: int
    score: float
    """Mean score per game, 0 to 1 (see `GameOutcome.score`)."""
    causes: dict[str, int]
    """How often it died of what; the empty word counts survivals."""
    failures: dict[Failure, int]
    ignored_failures: int
    reconnects: int
    latency_p50_ms: float
    latency_p95_ms: float
    latency_p99_ms: float
    first_failure: str = ""
    """The first failed answer of its first game that had one, in words; empty: there was none."""


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The finished games of a match, in the order of its schedule."""

    names: tuple[str, ...]
    """The contestants, by index."""
    schedule: tuple[ScheduledGame, ...]
    games: tuple[GameOutcome, ...]
    stopped: bool
    """Whether it ended before its schedule: by the caller's stop flag, or because too many games had failures."""
    duration_s: float
    failure_limit: float = FAILURE_LIMIT

    @property
    def failed_games(self) -> int:
        """Games in which at least one move request failed."""
        return sum(game.failed for game in self.games)

    @property
    def games_per_s(self) -> float:
        """Finished games per second of wall clock."""
        return len(self.games) / self.duration_s if self.duration_s > 0 else 0.0

    def pairs(self) -> tuple[PairOutcome, ...]:
        """Return the pairs whose every seating is finished, in the order of the schedule.

        Which pairs are complete after a stop depends on how long games lasted: a sequential test must look at
        `on_pair` of `play_match` instead, which comes strictly in order.
        """
        needed = Counter(spec.pair for spec in self.schedule)
        played: dict[int, list[GameOutcome]] = {}
        for game in self.games:
            played.setdefault(game.spec.pair, []).append(game)
        return tuple(
            PairOutcome(pair, games[0].spec.seed, tuple(games))
            for pair, games in sorted(played.items())
            if len(games) == needed[pair]
        )

    def require_sound(self) -> None:
        """Refuse to be scored where too many games had failures.

        Raises:
            EvaluationError: more than `failure_limit` of the finished games had a time-out, a crash or an
                unusable answer; the message says whose and of which kind.
        """
        if not self.games or self.failed_games <= self.failure_limit * len(self.games):
            return
        culprits = "; ".join(
            f"{self.names[index]}: "
            + ", ".join(f"{count} x {kind}" for kind, count in tally.failures.items())
            + (f" (first at {tally.first_failure})" if tally.first_failure else "")
            for index, tally in enumerate(map(self.tally, range(len(self.names))))
            if tally.failures
        )
        raise EvaluationError(
            f"{self.failed_games} of {len(self.games)} games had a snake that failed to answer, and no more than "
            f"{self.failure_limit:.1%} may",
            where=culprits,
            remedy="Look at that snake's log; if it is only slow, raise the time-out or play fewer games at once.",
        )

    def tally(self, contestant: int) -> ContestantTally:
        """Return the sums of one contestant; latencies are nan where it was never asked."""
        own = [(game, seat) for game in self.games for seat in _seats_of(game, contestant)]
        snakes = [game.snakes[seat] for game, seat in own]
        endings = Counter(_result_of(game, seat) for game, seat in own)
        distinct = [game for game in self.games if contestant in game.spec.seats]
        p50_ms, p95_ms, p99_ms = _latency_quantiles(snakes)
        return ContestantTally(
            name=self.names[contestant],
            seats=len(own),
            wins=endings["win"],
            draws=endings["draw"],
            losses=endings["loss"],
            turn_limits=endings["turn_limit"],
            score=sum(game.score(contestant) for game in distinct) / len(distinct) if distinct else 0.0,
            causes=dict(Counter(snake.cause for snake in snakes)),
            failures=dict(sum((Counter(snake.failures) for snake in snakes), Counter[Failure]())),
            ignored_failures=sum(snake.ignored_failures for snake in snakes),
            reconnects=sum(snake.reconnects for snake in snakes),
            latency_p50_ms=p50_ms,
            latency_p95_ms=p95_ms,
            latency_p99_ms=p99_ms,
            first_failure=next((snake.first_failure for snake in snakes if snake.first_failure), ""),
        )


def _seats_of(game: GameOutcome, contestant: int) -> list[int]:
    return [seat for seat, snake in enumerate(game.snakes) if snake.contestant == contestant]


def _result_of(game: GameOutcome, seat: int) -> str:
    if game.ending is Ending.WON:
        return "win" if game.winner == seat else "loss"
    return game.ending.value


def _latency_quantiles(snakes: list[SnakeOutcome]) -> tuple[float, float, float]:
    together = array("f")
    for snake in snakes:
        together.extend(snake.latencies_ms)
    if not together:
        return float("nan"), float("nan"), float("nan")
    p50_ms, p95_ms, p99_ms = np.quantile(np.frombuffer(together, np.float32), (0.5, 0.95, 0.99))
    return float(p50_ms), float(p95_ms), float(p99_ms)
