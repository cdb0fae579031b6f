"""`ouroboros tournament`: plays a tournament to its end, in as many starts as it takes.

Everything lies in `tournaments/` of the state folder: what was asked for as `NAME.json`, every game and one row for
each pairing in `tournaments.db`. The same command again goes on where it was stopped, or shows the table.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log2
from pathlib import Path
from sqlite3 import DatabaseError, connect

from pipeline import folder_lock
from pipeline.live_games import LiveGames
from pipeline.referee.endpoint import shown_place
from pipeline.snake_builder import Cancelled
from pipeline.snake_code import code_of
from pipeline.stopping import Stopping
from pipeline.tuner.backends import Backend
from pipeline.tuner.jobs import JobFailure, JobResult, MatchJob, PlayConditions, SourceKind, Stage, pair_seeds
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.run import LedgerRecords
from pipeline.tuner.scheduler import Scheduler
from pipeline.tuner.setup import participant, referee_conditions
from pipeline.tuner.snake_source import SnakeSource, snake_source
from pipeline.tuner.tournament import CrossTable, Entrant, Tournament, gauntlet, round_robin, swiss_round, table_of
from schemas.errors import SettingsError, SnakeError, StateError
from schemas.files import write_atomic
from schemas.live_game import LiveSource
from schemas.settings import Settings

FOLDER, DATABASE = "tournaments", "tournaments.db"
_PAIRINGS = """
CREATE TABLE IF NOT EXISTS pairings (
    tournament TEXT NOT NULL, first TEXT NOT NULL, second TEXT NOT NULL, score REAL NOT NULL, low REAL NOT NULL,
    high REAL NOT NULL, games INTEGER NOT NULL, PRIMARY KEY (tournament, first, second)) WITHOUT ROWID
"""


class Format(StrEnum):
    """Who meets whom."""

    ROUND_ROBIN = "round-robin"
    """Everybody everybody."""
    GAUNTLET = "gauntlet"
    """The first one named all others."""
    SWISS = "swiss"
    """In each round neighbours in the table who have not met."""


@dataclass(frozen=True)
class TournamentRequest:
    """What was asked for.

    Args:
        snakes: folders, URLs of running snakes, or weights files for the snake that is tuned.
        games: of each pairing, rounded up to whole seeds.
        rounds: of a Swiss tournament; None: as many as single out one of all.
    """

    snakes: tuple[str, ...]
    format: Format = Format.ROUND_ROBIN
    games: int = 100
    seats: int = 2
    rounds: int | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        if self.seats != 2 and self.format is not Format.ROUND_ROBIN:
            raise SettingsError(
                f"a {self.format.value} is played in duels, not with {self.seats} seats",
                where="--seats",
                remedy="Use --format round-robin for games of three or four.",
            )
        if not self.seats <= len(self.snakes):
            raise SettingsError(
                f"{self.seats} seats need as many snakes, not {len(self.snakes)}", where="SNAKE...", remedy="Name more."
            )


def run_tournament(
    settings: Settings,
    request: TournamentRequest,
    tell: Callable[[str], None],
    *,
    stopping: Stopping | None = None,
    backend: Callable[[Settings, SnakeSource, Path], Backend] | None = None,
) -> CrossTable | None:
    """Play what is missing; the table, or None where a stop came before the first game.

    Raises:
        SnakeError: a snake cannot be used; what could be played is kept.
        SettingsError: snakes that are no tournament. StateError: another one works in the folder.
    """
    folder = settings.home / FOLDER
    with ExitStack() as stack:
        stack.enter_context(folder_lock.held(folder, "tournament"))
        stopping = stopping or Stopping()
        stack.enter_context(stopping.on_signals())
        cup = _tournament(settings, request)
        _note_request(folder, cup.prefix, request)
        book = stack.enter_context(closing(Ledger(folder / DATABASE)))
        opened = _opened(settings, cup, folder, stopping, tell, backend)
        if opened is None:
            return None
        stack.callback(opened.close)
        tell(opened.notice)
        scheduler = Scheduler(opened, LedgerRecords(book, cup.prefix))
        results, failure = _play(cup, request, scheduler, stopping, tell)
        if not results:
            if failure is not None:
                raise SnakeError(failure.what, where=failure.where, remedy=failure.remedy)
            return None
        table = table_of(cup, results, request.seed)
        _keep_pairings(folder / DATABASE, cup.prefix, table)
        if failure is not None:
            tell(table.cross_table())
            raise SnakeError(failure.what, where=failure.where, remedy=failure.remedy)
        return table


def _play(
    cup: Tournament,
    request: TournamentRequest,
    scheduler: Scheduler,
    stopping: Stopping,
    tell: Callable[[str], None],
) -> tuple[dict[str, JobResult], JobFailure | None]:
    """Round by round; of a round that a stop or a failure cut short, the pairings that were finished."""
    results: dict[str, JobResult] = {}
    for number in range(_rounds(cup, request)):
        jobs = _round(cup, request, results)
        if not jobs:
            break
        scheduler.want(jobs)
        whole = scheduler.wait_for([job.id for job in jobs], lambda: stopping.requested)
        outcomes = [scheduler.outcome(job.id) for job in jobs]
        results |= {found.job_id: found for found in outcomes if isinstance(found, JobResult)}
        failure = next((found for found in outcomes if isinstance(found, JobFailure)), None)
        if failure is not None or not whole:
            tell(f"Pairings played: {len(results)}; the same command goes on from there.")
            return results, failure
        tell(f"Round {number + 1} is over: {sum(len(job.games) for job in jobs):,} games, pairings: {len(jobs)}.")
    return results, None


def _rounds(cup: Tournament, request: TournamentRequest) -> int:
    if request.format is not Format.SWISS:
        return 1
    return request.rounds or ceil(log2(len(cup.entrants))) + 1


def _round(cup: Tournament, request: TournamentRequest, results: dict[str, JobResult]) -> Sequence[MatchJob]:
    if request.format is Format.SWISS:
        return swiss_round(cup, results)
    return gauntlet(cup) if request.format is Format.GAUNTLET else round_robin(cup, request.seats)


def _tournament(settings: Settings, request: TournamentRequest) -> Tournament:
    entrants = tuple(Entrant(shown_place(where), participant(where)) for where in request.snakes)
    seeds = pair_seeds(request.seed, Stage.TOURNAMENT, 0, 0, -(-request.games // request.seats))
    conditions = PlayConditions(referee_conditions(settings.tuner))
    # Weights are told by their text: an edited file is another snake, whose games must not be mixed with the former's.
    # So is one whose code was edited; what a URL leads to nobody can know.
    told = [[who.name, who.participant.source.value, who.participant.text, *_code(who, settings)] for who in entrants]
    depends_on = [told, request.format.value, request.seats, seeds, repr(conditions)]
    digest = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:12]
    try:
        return Tournament(entrants, seeds, conditions, digest)
    except ValueError as error:
        raise SettingsError(str(error), where="SNAKE...", remedy="Name each snake once.") from error


def _code(entrant: Entrant, settings: Settings) -> list[str]:
    """The code that an entrant plays with, and how it is built and started."""
    who, tuner = entrant.participant, settings.tuner
    if who.source is SourceKind.URL:
        return []
    folder = Path(who.text) if who.source is SourceKind.FOLDER else snake_source(settings).folder
    return [code_of(folder), tuner.build_command, tuner.run_command, tuner.config_file]


def _note_request(folder: Path, name: str, request: TournamentRequest) -> None:
    tree = {
        "snakes": [shown_place(where) for where in request.snakes],
        "format": request.format.value,
        "games": request.games,
        "seats": request.seats,
        "rounds": request.rounds,
        "seed": request.seed,
    }
    write_atomic(folder / f"{name}.json", json.dumps(tree, indent=2) + "\n")


def entrants_of_job(settings: Settings, name: str, job_id: str) -> tuple[str, ...]:
    """How the participants of a tournament's job were named when it was asked for; nobody where its file is gone.

    Args:
        name: of the tournament.
        job_id: ends in their numbers (`tournament.round_robin`).
    """
    try:
        snakes = json.loads((settings.home / FOLDER / f"{name}.json").read_bytes())["snakes"]
        return tuple(str(snakes[int(number)]) for number in job_id.rpartition(":")[2].split("-"))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return ()


def _keep_pairings(path: Path, name: str, table: CrossTable) -> None:
    rows = [(name, row.first, row.second, row.score, row.low, row.high, row.games) for row in table.pairings]
    try:
        with closing(connect(path, timeout=10.0)) as database, database:
            database.execute(_PAIRINGS)
            database.executemany("INSERT OR REPLACE INTO pairings VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    except DatabaseError as error:
        raise StateError(f"the pairings cannot be kept: {error}", where=str(path)) from error


def _opened(
    settings: Settings,
    cup: Tournament,
    folder: Path,
    stopping: Stopping,
    tell: Callable[[str], None],
    backend: Callable[[Settings, SnakeSource, Path], Backend] | None,
) -> Backend | None:
    """Who plays: weights against weights in the snake's own process where it can, all else over HTTP, on every node of
    the cluster; None: stopped."""
    source = snake_source(settings)
    if backend is not None:
        return backend(settings, source, folder)
    from pipeline.cluster.all_machines import on_all_machines
    from pipeline.tuner.backends.choice import choose  # brings numba, which `ouroboros --help` must not cost
    from pipeline.tuner.backends.http import HttpBackend

    live = LiveGames(settings.home, LiveSource.TOURNAMENT)
    if sum(who.participant.source is SourceKind.WEIGHTS for who in cup.entrants) < 2:
        opened: Backend = HttpBackend(source.folder, folder, settings.tuner, source.run_command, live=live)
    else:
        try:
            opened = choose(settings, source, lambda: stopping.requested, folder, live)
        except Cancelled:
            return None
    others = [who.participant.text for who in cup.entrants if who.participant.source is SourceKind.FOLDER]
    return on_all_machines(opened, settings, source, tell, others)
