"""A match: a schedule of games played to its end, watched, and summed up. The referee's front door."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from pipeline.live_games import LiveGames
from pipeline.referee.game_board import rehearse
from pipeline.referee.game_pool import Contestant, GamePool, Show
from pipeline.referee.outcome import GameOutcome, PairOutcome
from pipeline.referee.pool import RefereePool
from pipeline.referee.result import MatchResult
from pipeline.referee.schedule import FAILURE_LIMIT, MatchConditions, ScheduledGame
from schemas.cgroup import usable_processors
from schemas.errors import BadInputError

GAMES_PER_CORE = 4
"""Games under way per core: enough that the snakes never wait for the referee, too few to make them look slow."""


def default_games_at_once() -> int:
    """Return how many games to play at once on the cores this process may use."""
    return GAMES_PER_CORE * usable_processors()


def play_match(
    contestants: Sequence[Contestant],
    schedule: Sequence[ScheduledGame],
    conditions: MatchConditions,
    *,
    games_at_once: int | None = None,
    failure_limit: float = FAILURE_LIMIT,
    replay_dir: Path | None = None,
    on_game: Callable[[GameOutcome], None] | None = None,
    on_pair: Callable[[PairOutcome], None] | None = None,
    stop: Callable[[], bool] | None = None,
    pool: RefereePool | None = None,
    show: Show | None = None,
    turn_delay_s: float = 0.0,
    live: LiveGames | None = None,
) -> MatchResult:
    """Play every game of the schedule (see `paired_schedule`), many at once, and return what came of them.

    Args:
        contestants: the snakes, by the indices that the schedule's seats name. They must be running.
        games_at_once: None: four per core.
        failure_limit: share of the schedule's games that may have a failed answer; once it is exceeded the match
            ends early, since it could not be scored any more (`MatchResult.require_sound` refuses it). 1.0: never.
        replay_dir: made if missing; gets one replay file per game.
        on_game: called with each game as it finishes, in whatever order they do; for a progress display.
        on_pair: called with each finished pair strictly in the order of the schedule, so that a sequential test
            sees no bias towards short games. To end a match at its verdict let `stop` return True from then on.
        stop: asked after every game and every 0.1 s; once it is true, games under way are dropped at once.
        pool: several referee processes to share the games among (see `pool.py`); None: this process alone.
        show, turn_delay_s: as `GamePool` takes them; not together with `pool`.
        live: as `GamePool` takes it; of a `pool` the first process shows its games.

    Raises:
        BadInputError: an empty or repeated schedule, a seat that names no contestant, `games_at_once` below 1.
        SnakeError: a snake does not answer `GET /`.
        GameStateError: ruleset, map, board and number of snakes do not go together.
        MachineError: a replay cannot be written.
        EvaluationError: a process of the pool failed.
    """
    at_once = default_games_at_once() if games_at_once is None else games_at_once
    _check(contestants, schedule, at_once)
    rehearse(schedule[0], conditions)
    if replay_dir is not None:
        replay_dir.mkdir(parents=True, exist_ok=True)
    ledger = _Ledger(schedule, failure_limit, on_game, on_pair)
    at_once = min(at_once, len(schedule))

    def ended() -> bool:
        return ledger.hopeless or (stop is not None and stop())

    started = monotonic()
    if pool is None:
        games = GamePool(contestants, conditions, at_once, replay_dir, show, turn_delay_s, live)
        games.play(schedule, ledger.enter, ended)
    else:
        pool.play(contestants, schedule, conditions, at_once, replay_dir, ledger.enter, ended, live)
    played = tuple(ledger.games[spec] for spec in schedule if spec in ledger.games)
    return MatchResult(
        names=tuple(contestant.name for contestant in contestants),
        schedule=tuple(schedule),
        games=played,
        stopped=len(played) < len(schedule),
        duration_s=monotonic() - started,
        failure_limit=failure_limit,
    )


class _Ledger:
    """The finished games, and the pairs handed on in the order of the schedule."""

    def __init__(
        self,
        schedule: Sequence[ScheduledGame],
        failure_limit: float,
        on_game: Callable[[GameOutcome], None] | None,
        on_pair: Callable[[PairOutcome], None] | None,
    ) -> None:
        self.games: dict[ScheduledGame, GameOutcome] = {}
        self._failed = 0
        self._most_failed = failure_limit * len(schedule)
        self._on_game = on_game
        self._on_pair = on_pair
        self._seatings: dict[int, list[ScheduledGame]] = {}
        for spec in schedule:
            self._seatings.setdefault(spec.pair, []).append(spec)
        self._pairs_to_hand_on = list(reversed(self._seatings))

    @property
    def hopeless(self) -> bool:
        """Whether so many games failed that the rest cannot mend it."""
        return self._failed > self._most_failed

    def enter(self, outcome: GameOutcome) -> None:
        """Take a finished game."""
        self.games[outcome.spec] = outcome
        self._failed += outcome.failed
        if self._on_game is not None:
            self._on_game(outcome)
        while self._pairs_to_hand_on:
            pair = self._pairs_to_hand_on[-1]
            games = [self.games[spec] for spec in self._seatings[pair] if spec in self.games]
            if len(games) < len(self._seatings[pair]):
                return
            self._pairs_to_hand_on.pop()
            if self._on_pair is not None:
                self._on_pair(PairOutcome(pair, games[0].spec.seed, tuple(games)))


def _check(contestants: Sequence[Contestant], schedule: Sequence[ScheduledGame], at_once: int) -> None:
    if not schedule or len(set(schedule)) < len(schedule):
        raise BadInputError(
            "the schedule is empty or repeats a game", where="schedule", remedy="Make it with paired_schedule()."
        )
    for spec in schedule:
        if not spec.seats or not all(0 <= contestant < len(contestants) for contestant in spec.seats):
            raise BadInputError(
                f"seats {spec.seats} name none, or not one of the {len(contestants)} snakes",
                where=f"pair {spec.pair} of the schedule",
                remedy="Seats are indices of the contestants.",
            )
    if at_once < 1:
        raise BadInputError(f"{at_once} games at once", where="games_at_once", remedy="Use 1 or more.")
