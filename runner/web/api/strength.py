"""The tuner's runs, tournaments, models, games and ladder ratings: how strong the snake is, and how that is known."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from litestar import Response, get
from litestar.params import Parameter

from runner.web.api.answers import READS
from runner.web.api.looking import Cursor, Limit
from runner.web.api.paging import PAGE, cursor_of, key_of
from runner.web.opened_games import TrainingGame, keeps, list_games, read_again
from runner.web.pages.tuner import REPORT_POLICY, report_of
from runner.web.problems import ProblemError
from runner.web.read import ladder, tournaments, tuning
from runner.web.read import models as registered
from runner.web.read.game_index import GameFilter, IndexedGame, load
from runner.web.read.ladder import RatingChange
from runner.web.read.models import Evaluation, Model
from runner.web.read.rows import Rows
from runner.web.read.tournaments import PairingScore
from runner.web.read.tuning import Effect, Promotion, TestDigest, TunedRun
from runner.web.site import Site
from schemas.game import GameLog
from schemas.times import to_text

Id = Annotated[str, Parameter(max_length=200)]
LADDER_DAYS = 90


@dataclass(frozen=True, slots=True)
class TuningDetails:
    """A run of the tuner, from the steps of its ledger."""

    run: TunedRun
    complete: bool
    """All steps are in it; false while a long ledger is still being read: ask again."""
    games: int
    iterations: int
    decisions: dict[str, int]
    promotions: list[Promotion]
    tests: list[TestDigest]
    """The latest, with each one's log-likelihood ratio over the seeds and its bounds."""
    effects: dict[str, Effect]
    """What the screen found of each weight."""


@dataclass(frozen=True, slots=True)
class ModelListing:
    """Models, newest first."""

    items: list[Model]
    next: str | None


@dataclass(frozen=True, slots=True)
class EvaluationListing:
    """Measurements, newest first."""

    items: list[Evaluation]
    next: str | None


@dataclass(frozen=True, slots=True)
class TournamentTable:
    """A tournament's pairings."""

    tournament: str
    pairings: list[PairingScore]


@dataclass(frozen=True, slots=True)
class GameListing:
    """Games, the newest first."""

    items: list[IndexedGame]
    next: str | None


@get("/tuner/runs", responses=READS, sync_to_thread=True, summary="The tuner's runs, newest first")
def tuner_runs(site: Site) -> list[TunedRun]:
    """Empty before the first."""
    return _runs(site)


@get("/tuner/runs/{run:str}", responses=READS, sync_to_thread=True, summary="One run of the tuner")
def tuner_run(site: Site, run: Id) -> TuningDetails:
    """Its promotions, tests and weights, as `ouroboros tune report` tells them."""
    head = _tuner_run(site, run)
    digest = site.digests.of(run)
    return TuningDetails(
        run=head,
        complete=digest.complete,
        games=digest.games,
        iterations=digest.iterations,
        decisions=dict(digest.decisions),
        promotions=digest.promotions,
        tests=[digest.tests[number] for number in sorted(digest.tests)],
        effects=digest.effects,
    )


@get(
    "/tuner/runs/{run:str}/report",
    responses=READS,
    sync_to_thread=True,
    media_type="text/html",
    summary="The report of a tuner's run, one HTML file",
)
def tuner_report(site: Site, run: Id) -> Response[bytes]:
    """As the tuner wrote it at the end of the run, or `ouroboros tune report` since."""
    _tuner_run(site, run)
    found = report_of(site, run)
    if found is None:
        raise ProblemError(404, f"no report of {run} yet; `ouroboros tune report {run}` writes it")
    headers = {"content-security-policy": REPORT_POLICY}
    return Response(found.read_bytes(), media_type="text/html; charset=utf-8", headers=headers)


@get("/tournaments", responses=READS, sync_to_thread=True, summary="Tournaments by name")
def list_tournaments(site: Site) -> list[str]:
    """Those that `ouroboros tournament` has played here."""
    if not site.tournaments.path.exists():
        return []
    with site.tournaments.snapshot() as rows:
        return tournaments.names(rows)


@get("/tournaments/{tournament:str}", responses=READS, sync_to_thread=True, summary="A tournament's cross-table")
def tournament(site: Site, tournament: Id) -> TournamentTable:
    """A row for each pairing: the first one's score with its interval, and the games behind it."""
    found: list[PairingScore] = []
    if site.tournaments.path.exists():
        with site.tournaments.snapshot() as rows:
            found = tournaments.pairings(rows, tournament)
    if not found:
        raise ProblemError(404, f"no tournament {tournament}")
    return TournamentTable(tournament, found)


@get("/games/again", responses=READS, summary="A game of the tuner or of a tournament, played again")
async def game_again(
    site: Site,
    run: Annotated[str, Parameter(max_length=200, description="The tuner's run, or the tournament's name.")],
    job: Annotated[str, Parameter(max_length=300, description="The job, as its ledger names it.")],
    number: Annotated[int, Parameter(ge=0, le=1_000_000, description="The game in that job, from 0 on.")],
) -> GameLog:
    """As `ouroboros tune replay`, in a process of its own; 410 where it comes out otherwise than it did."""
    for ledger in (site.ledger, site.tournaments):
        if ledger.path.exists() and await keeps(ledger, run, job, number):
            return await read_again(site, run, job, number)
    raise ProblemError(404, f"no game {number} of job {job} in {run}")


@get("/models", responses=READS, sync_to_thread=True, summary="Registered networks, newest first")
def models(site: Site, limit: Limit = PAGE, cursor: Cursor = None) -> ModelListing:
    """As `ouroboros models list`."""
    before = key_of(cursor, [str, str])
    with site.history.snapshot() as rows:
        items = registered.models(rows, limit + 1, (str(before[0]), str(before[1])) if before else None)
    last = items[limit - 1] if len(items) > limit else None
    return ModelListing(items[:limit], cursor_of(to_text(last.created_at), last.id) if last else None)


@get("/models/{model_id:str}", responses=READS, sync_to_thread=True, summary="One network")
def model(site: Site, model_id: Id) -> Model:
    """As `ouroboros models show`; `/api/v1/evaluations?model=` has what was measured of it."""
    with site.history.snapshot() as rows:
        return _model(rows, model_id)


@get("/evaluations", responses=READS, sync_to_thread=True, summary="Measurements, newest first")
def evaluations(
    site: Site,
    limit: Limit = PAGE,
    cursor: Cursor = None,
    model: Annotated[str, Parameter(max_length=200, description="Only of this model.")] = "",
) -> EvaluationListing:
    """Each the games of one seed, with its interval."""
    before = key_of(cursor, [int])
    with site.history.snapshot() as rows:
        items = registered.evaluations_of(rows, model, limit + 1, int(before[0]) if before else None)
    return EvaluationListing(items[:limit], cursor_of(items[limit - 1].id) if len(items) > limit else None)


@get("/games", responses=READS, sync_to_thread=True, summary="Kept games, newest first")
def games(
    site: Site,
    limit: Limit = PAGE,
    cursor: Cursor = None,
    snake: Annotated[str, Parameter(max_length=200, description="Only those it played in.")] = "",
    outcome: Annotated[str, Parameter(max_length=20, description="win, loss or draw, for the snake whose it is.")] = "",
) -> GameListing:
    """From the games folder and kept replays; the first look of a long folder takes a while: ask again."""
    before = key_of(cursor, [int])
    site.games.refresh()
    wanted = GameFilter(snake=snake, outcome=outcome, before=int(before[0]) if before else None)
    items = site.games.find(wanted, limit + 1)
    return GameListing(items[:limit], cursor_of(items[limit - 1].row) if len(items) > limit else None)


@get("/games/{game_id:path}", responses=READS, sync_to_thread=True, summary="One game, frame by frame")
def game(site: Site, game_id: Id) -> GameLog:
    """The whole log. Others name games: an id may hold slashes."""
    game_id = game_id.removeprefix("/")  # which a path always begins with
    found = site.games.get(game_id)
    log = load(found) if found is not None else None
    if log is None:
        raise ProblemError(404, f"no game {game_id}")
    return log


@get("/training/games", responses=READS, summary="The newest games that training keeps")
async def training_games(
    site: Site,
    player: Annotated[str, Parameter(max_length=200, description="Only games that it took part in.")] = "",
) -> list[TrainingGame]:
    """As `ouroboros game list`, in a process of its own: it loads the engine."""
    return await list_games(site, [player] if player else [])


@get("/arena/ratings", responses=READS, sync_to_thread=True, summary="Our snakes on the Arena's ladders")
def arena_ratings(site: Site) -> list[RatingChange]:
    """Of the last 90 days, oldest first; as `ouroboros arena standing`."""
    with site.history.snapshot() as rows:
        return ladder.ratings(rows, site.clock() - timedelta(days=LADDER_DAYS))


def _runs(site: Site) -> list[TunedRun]:
    if not site.ledger.path.exists():
        return []
    with site.ledger.snapshot() as rows:
        return tuning.list_runs(rows)


def _tuner_run(site: Site, run: str) -> TunedRun:
    head = next((each for each in _runs(site) if each.run == run), None)
    if head is None:
        raise ProblemError(404, f"no run {run} in the tuner's ledger")
    return head


def _model(rows: Rows, model_id: str) -> Model:
    found = registered.model(rows, model_id)
    if found is None:
        raise ProblemError(404, f"no model {model_id}")
    return found


STRENGTH_ROUTES = [
    tuner_runs,
    tuner_run,
    tuner_report,
    list_tournaments,
    tournament,
    game_again,
    models,
    model,
    evaluations,
    games,
    game,
    training_games,
    arena_ratings,
]
"""In the order in which the page of the API shows them."""
