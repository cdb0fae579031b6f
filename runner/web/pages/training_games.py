"""Games that training keeps: the list, and the way of one to the board."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from litestar import get
from litestar.response import Redirect, Template

from runner.web.pages.games import game_link
from runner.web.pages.page import AnyRequest, missing, page
from runner.web.problems import ProblemError
from runner.web.site import Site
from runner.web.training_games import TrainingGame, list_games, open_game
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


TRAINING_GAME_ROUTES: list[Any] = [training_games, training_game]
