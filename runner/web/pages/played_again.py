"""Games of the tuner and of tournaments on the board: their ledgers keep no boards, so each is played again."""

from typing import Any
from urllib.parse import urlencode

from litestar import get
from litestar.response import Redirect

from runner.web.opened_games import keeps, open_again
from runner.web.pages.games import game_link
from runner.web.pages.page import AnyRequest, missing
from runner.web.read.database import Database
from runner.web.site import Site


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


PLAYED_AGAIN_ROUTES: list[Any] = [tuner_game, cup_game]
