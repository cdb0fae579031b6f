"""Games that come to the board when somebody asks: the list of those that training keeps, and the way to each.

Ledgers of the tuner and of tournaments keep no boards, so a game of theirs is played again.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from litestar import get
from litestar.response import Redirect, Template

from runner.web.opened_games import TrainingGame, keeps, list_games, open_again, open_game
from runner.web.pages.games import game_link
from runner.web.pages.page import AnyRequest, missing, page
from runner.web.problems import ProblemError
from runner.web.read.database import Database
from runner.web.site import Site
from schemas.outside_text import line

MOST_PLAYERS = 8


@get("/training/games")
async def training_games(request: AnyRequest, site: Site) -> Template:
    """The newest of them; with `player` in the query, as often as is wanted, those of these players."""
    found, problem = list[TrainingGame](), ""
    players = [str(name)[:200] for name in request.query_params.getall("player", [])][:MOST_PLAYERS]
    try:
        found = await list_games(site, players)
    except ProblemError as error:
        problem = str(error)
    return page(
        request, site, "training_games.html", "Games of training", "/training", found=found, problem=problem,
        players=players,
    )  # fmt: skip


def players_link(players: Sequence[str]) -> str:
    """The URL of the games in which all of these took part."""
    return f"/training/games?{urlencode([('player', name) for name in players])}"


@get("/training/game")
async def training_game(request: AnyRequest, site: Site) -> Redirect:
    """Open one on the board: from then on it lies among the kept games."""
    wanted = str(request.query_params.get("id", ""))
    if not await open_game(site, wanted):
        raise missing(f"game {line(wanted, 80)} that training keeps; /training/games lists them")
    turn = str(request.query_params.get("turn", ""))
    return Redirect(game_link(wanted, int(turn) if turn.isascii() and turn.isdigit() and len(turn) < 9 else None))


@get("/tuner/{run:str}/game")
async def tuner_game(request: AnyRequest, site: Site, run: str) -> Redirect:
    """A game of the tuner; from then on it lies among the kept games."""
    return await _shown(request, site, site.ledger, run)


@get("/strength/cup/{name:str}/game")
async def cup_game(request: AnyRequest, site: Site, name: str) -> Redirect:
    """A game of a tournament; from then on it lies among the kept games."""
    return await _shown(request, site, site.tournaments, name)


def again_link(base: str, job: str, number: int) -> str:
    """The URL that has a game played again. `base`: the page of its run or tournament."""
    return f"{base}/game?{urlencode({'job': job, 'number': number})}"


def _asked(request: AnyRequest) -> tuple[str, int]:
    number = str(request.query_params.get("number", ""))
    told = number.isascii() and number.isdigit() and len(number) < 9
    return str(request.query_params.get("job", ""))[:300], int(number) if told else -1


async def _shown(request: AnyRequest, site: Site, ledger: Database, run: str) -> Redirect:
    job, number = _asked(request)
    if not await keeps(ledger, run, job, number):
        raise missing(f"game {number} of job {job} in {run}" if number >= 0 else "game without a number")
    return Redirect(game_link(await open_again(site, run, job, number)))


OPENED_GAME_ROUTES: list[Any] = [training_games, training_game, tuner_game, cup_game]
