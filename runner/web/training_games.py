"""Games that training keeps. Their records are rebuilt by the engine, in a short process of its own."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from runner.web.child import run_module
from runner.web.opened_games import ALONE, LIMIT_S, keep_opened, opened_file
from runner.web.problems import ProblemError
from runner.web.site import Site
from schemas.outside_text import line

LISTED = 100
_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class TrainingGame:
    """A game as `ouroboros game list` tells of it."""

    game_id: str
    source: str
    players: list[str]
    winner: str | None
    """None: a draw."""
    turns: int
    board: str
    ruleset: str
    played_at: str


async def list_games(site: Site, players: Sequence[str] = ()) -> list[TrainingGame]:
    """The newest: those by which networks were judged, then those from which they learned.

    Args:
        players: only games in which all of these took part.

    Raises:
        ProblemError: the process failed; in its words.
    """
    words = ["game", "list", "--limit", str(LISTED), "--format", "json"]
    words += [f"--player={name}" for name in players]
    async with ALONE:
        code, told, problem = await run_module(site, "runner", *words, limit_s=LIMIT_S)
    try:
        return [TrainingGame(**row) for row in json.loads(told)]
    except (ValueError, TypeError) as error:
        raise ProblemError(503, line(problem, 300) or f"the list gave no answer (code {code})") from error


async def open_game(site: Site, game_id: str) -> bool:
    """Put a game among the kept ones that the pages read, of which the oldest go; False: there is none of this id.

    Raises:
        ProblemError: the folder cannot be written.
    """
    if not _ID.fullmatch(game_id):
        return False
    if opened_file(site, game_id).exists():
        return True
    async with ALONE:
        code, told, _ = await run_module(site, "runner", "game", "show", game_id, "--as-log", limit_s=LIMIT_S)
    if code or not told.endswith("\n"):
        return False
    keep_opened(site, game_id, told)
    return True
