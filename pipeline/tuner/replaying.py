"""A game of the tuner or of a tournament, played again for who wants to see it.

Their ledgers keep of each game the seed, the weights, the seats and a fingerprint of all moves, and no boards:
thousands are played for one decision. Snakes that decide by positions and not by a clock play the same game again, and
the fingerprint says whether they did; a game that came out otherwise is not shown.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic

from pipeline import folder_lock
from pipeline.snake_builder import Cancelled
from pipeline.tuner.backends import Backend, GameOrder
from pipeline.tuner.backends.shown import names
from pipeline.tuner.jobs import GameResult, JobFailure, JobKind, MatchJob, SourceKind
from pipeline.tuner.ledger import NAME, Ledger
from pipeline.tuner.snake_source import snake_source
from pipeline.tuner.tournament_run import DATABASE, FOLDER, entrants_of_job
from schemas.errors import BadInputError, MachineError, ReplayDiffersError, SnakeError
from schemas.game import (
    GameLog,
    GameLogDeath,
    GameLogFrame,
    GameLogOutcome,
    GameLogSettings,
    GameLogSnake,
    replayed_game_id,
)
from schemas.settings import Settings
from schemas.tuning import BackendChoice, TunerSettings

SCRATCH = "replaying"
"""In the state folder: where the snake is built for it."""
DEADLINE_S = 200.0
"""Building included. A game of 544 turns took 7 s, and 71 s behind a tuner and a test run on the same two cores."""
_POLL_S = 0.5


def game_again(settings: Settings, run: str, job_id: str, number: int, deadline_s: float = DEADLINE_S) -> GameLog:
    """Play a game again and return it with its boards.

    Args:
        run: of the tuner, or a tournament's name.
        job_id: as the ledger names the job.
        number: of the game in that job, from 0 on.

    Raises:
        BadInputError: no ledger has this game.
        ReplayDiffersError: it came out otherwise.
        SnakeError: a snake does not build, start or answer.
        MachineError: no toolchain, no disk, the deadline passed.
        StateError: the ledger cannot be read, or another game is being played again.
    """
    found = _found(settings, run, job_id)
    if found is None or number not in found[2]:
        raise BadInputError(
            f"there is no game {number} of job {job_id!r}",
            where=f"run {run!r}",
            remedy="The pages of the tuner and of tournaments name them.",
        )
    job, tuner, games = found
    order, recorded = GameOrder(job, number), games[number]
    settings = settings.model_copy(update={"tuner": tuner})
    with folder_lock.held(settings.home / SCRATCH, "game that is played again"):
        kept, result = _played(settings, order, monotonic() + deadline_s)
    if result.transcript != recorded.transcript:
        raise ReplayDiffersError(
            f"game {number} of {job_id} came out otherwise when it was played again",
            where=f"run {run}",
            remedy="The snake's code is another by now, or it looks at the clock; its rows are what is kept.",
        )
    asked = entrants_of_job(settings, run, job_id) if job.kind is JobKind.TOURNAMENT else ()
    called = [Path(asked[who]).name for who in result.rotation] if len(asked) == len(job.participants) else names(order)
    return _log(run, order, kept, result, called)


class KeptBoards:
    """A `ToldGames` that keeps the boards of the first game that is told."""

    def __init__(self) -> None:
        self.frames: list[GameLogFrame] = []
        self._game_id: str | None = None
        self._food: list[int] | None = None

    def wanted(self) -> bool:
        """See `ToldGames`."""
        return self._game_id is None

    def begin(
        self, game_id: str, _about: str, _rules: tuple[str, str], _size: tuple[int, int], _names: Sequence[str]
    ) -> None:
        """See `ToldGames`."""
        self._game_id = game_id

    def is_showing(self, game_id: str) -> bool:
        """See `ToldGames`."""
        return game_id == self._game_id

    def turn(self, frame: GameLogFrame) -> None:
        """See `ToldGames`; food that stayed as it was is left out, as a game log has it."""
        same = frame.f is not None and frame.f == self._food
        self._food = frame.f if frame.f is not None else self._food
        self.frames.append(frame.model_copy(update={"f": None}) if same else frame)

    def end(self, _causes: Sequence[str]) -> None:
        """See `ToldGames`."""


def _found(settings: Settings, run: str, job_id: str) -> tuple[MatchJob, TunerSettings, dict[int, GameResult]] | None:
    """The job, the settings that its run had, and its games."""
    for path in (settings.tuner_dir / NAME, settings.home / FOLDER / DATABASE):
        if not path.exists():
            continue
        with closing(Ledger(path, read_only=True)) as book:
            job = book.job(run, job_id)
            if job is not None:
                return job, _settings_of(book, run, settings.tuner), book.games(run, job_id)
    return None


def _settings_of(book: Ledger, run: str, now: TunerSettings) -> TunerSettings:
    """What the run's last start was told; a tournament keeps none, and today's hold."""
    told = now
    for step in book.steps(run, "started"):
        told = TunerSettings.model_validate(step.body["setup"]["settings"])
    return told


def _played(settings: Settings, order: GameOrder, until_s: float) -> tuple[KeptBoards, GameResult]:
    """In the snake's own process where it tells boards there, else over HTTP: the moves are the same."""
    only_weights = all(who.source is SourceKind.WEIGHTS for who in order.job.participants)
    ways = [settings.tuner.backend, BackendChoice.HTTP] if only_weights else [BackendChoice.HTTP]
    for way in ways:
        kept = KeptBoards()
        tuner = settings.tuner.model_copy(update={"backend": way})
        result = _result(_opened(settings.model_copy(update={"tuner": tuner}), kept, until_s), order, until_s)
        if kept.frames:
            return kept, result
    raise SnakeError("the game told no boards", where=order.job.id)


def _opened(settings: Settings, kept: KeptBoards, until_s: float) -> Backend:
    from pipeline.tuner.backends.choice import choose  # brings numba, which `ouroboros --help` must not cost

    try:
        folder: Path = settings.home / SCRATCH
        return choose(settings, snake_source(settings), lambda: monotonic() > until_s, folder, kept)
    except Cancelled as error:
        raise _too_late() from error


def _result(backend: Backend, order: GameOrder, until_s: float) -> GameResult:
    with closing(backend):
        backend.begin([order])
        while monotonic() < until_s:
            for played in backend.finished(_POLL_S):
                if isinstance(played.result, JobFailure):
                    failure = played.result
                    raise SnakeError(failure.what, where=failure.where, remedy=failure.remedy)
                return played.result
    raise _too_late()


def _too_late() -> MachineError:
    return MachineError("the game was not over in time when it was played again", remedy="Try when less goes on here.")


def _log(run: str, order: GameOrder, kept: KeptBoards, result: GameResult, called: Sequence[str]) -> GameLog:
    """For the first participant: the candidate, where one is tested. `called`: the snakes' names, by seat."""
    referee, you = order.job.conditions.referee, result.rotation.index(min(result.rotation))
    score = result.scores[you]
    is_cup = order.job.kind is JobKind.TOURNAMENT
    return GameLog(
        game_id=replayed_game_id(run, order.job.id, order.number),
        ruleset=referee.ruleset,
        map=referee.map_id,
        source="tournament" if is_cup else "tuner",
        timeout_ms=referee.timeout_ms,
        settings=GameLogSettings(
            foodSpawnChance=referee.numbers.food_spawn_chance,
            minimumFood=referee.numbers.minimum_food,
            hazardDamagePerTurn=referee.numbers.hazard_damage_per_turn,
            shrinkEveryNTurns=referee.numbers.shrink_every_n_turns,
        ),
        width=referee.width,
        height=referee.height,
        you=you,
        snakes=[GameLogSnake(id=f"s{seat}", name=name) for seat, name in enumerate(called)],
        outcome=GameLogOutcome.WIN if score == 1 else GameLogOutcome.DRAW if score else GameLogOutcome.LOSS,
        turns=result.turns,
        imported_from=f"{'tournament' if is_cup else 'run'} {run}, played again",
        deaths=[
            GameLogDeath(snake=seat, turn=turn, cause=cause)
            for seat, (turn, cause) in enumerate(zip(result.died_on, result.causes, strict=True))
            if cause
        ],
        frames=kept.frames,
    )
