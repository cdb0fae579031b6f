"""Games that are put on the board when somebody asks: those that training keeps, and those that are played again.

Each is made by a short process that loads the engine, and lies from then on among the games that the pages read.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.web.child import run_module
from runner.web.problems import ProblemError
from runner.web.read.database import Database
from runner.web.read.ledger_games import has_game
from runner.web.site import Site, opened_dir
from schemas.errors import StateError
from schemas.files import write_atomic
from schemas.game import GameLog, replayed_game_id
from schemas.outside_text import line

OPENED_KEPT = 200
LISTED = 100
LIMIT_S = 240.0
"""For one of these processes."""
ALONE = asyncio.Lock()
"""One of them at a time."""
_ID = re.compile("[0-9a-f]{32}")
_DIFFERS = 1
"""The exit code of `ouroboros tune replay` where the game came out otherwise; others: not just now."""


async def keeps(ledger: Database, run: str, job: str, number: int) -> bool:
    """Whether a ledger has this game.

    Raises:
        NothingThereError: there is no such ledger yet.
    """

    def look() -> bool:
        with ledger.snapshot() as rows:
            return has_game(rows, run, job, number)

    return await asyncio.to_thread(look)


async def open_again(site: Site, run: str, job: str, number: int) -> str:
    """Have a game of the tuner or of a tournament played again and put it on the board; its id there.

    Raises:
        ProblemError: it came out otherwise, or it cannot be played just now; in the process's words.
    """
    game_id = replayed_game_id(run, job, number)
    if opened_file(site, game_id).exists():
        return game_id
    async with ALONE:
        if not opened_file(site, game_id).exists():  # two readers may have asked for the same
            words = ("tune", "replay", "--as-log", "--", run, job, str(number))
            code, told, problem = await run_module(site, "runner", *words, limit_s=LIMIT_S)
            if code or not told.endswith("\n"):
                said = line(problem, 500).removeprefix("error: ") or f"it gave no answer (code {code})"
                raise ProblemError(410 if code == _DIFFERS and problem.startswith("error: ") else 503, said)
            keep_opened(site, game_id, told)
    return game_id


async def read_again(site: Site, run: str, job: str, number: int) -> GameLog:
    """The game that `open_again` puts on the board, frame by frame.

    Raises:
        ProblemError: as `open_again`; it has been put away meanwhile.
    """
    path = opened_file(site, await open_again(site, run, job, number))
    try:
        return GameLog.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ProblemError(503, "the game was put away meanwhile: ask again") from error


def opened_file(site: Site, game_id: str) -> Path:
    """Where an opened game lies. `game_id`: 32 hexadecimal digits."""
    return opened_dir(site.settings.home) / f"{game_id}.jsonl"


def keep_opened(site: Site, game_id: str, told: str) -> None:
    """Put a game's line among the games that the pages read, of which the oldest go.

    Raises:
        ProblemError: the folder cannot be written.
    """
    path = opened_file(site, game_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        older = sorted(path.parent.glob("*.jsonl"), key=lambda each: each.stat().st_mtime, reverse=True)
        for stale in older[OPENED_KEPT - 1 :]:
            stale.unlink(missing_ok=True)
        write_atomic(path, told)
    except OSError as error:
        fault = StateError(f"the game cannot be opened: {error.strerror}", where=str(path.parent))
        raise ProblemError(503, str(fault)) from error


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
