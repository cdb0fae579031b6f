"""What the commands of `ouroboros arena` do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipeline.ladder import game_rows
from pipeline.ladder.answers import OwnSnake
from pipeline.ladder.challenge import WantedGame, ask_for_games, snake_named
from pipeline.ladder.client import ArenaClient
from pipeline.ladder.source import client_for, database_of, locked, synchronise
from pipeline.ladder.standing import LadderStanding, Registration, register
from pipeline.ladder.standing import standing as standing_of
from pipeline.ladder.token import keep_token, read_token, read_token_file, required_token
from pipeline.ladder.why import explain
from pipeline.stopping import Stopping
from schemas.errors import ArenaError, BadInputError
from schemas.ladder import GameWhy, SyncReport
from schemas.outside_text import line
from schemas.settings import Settings

_PATIENCE_S: Final = 90.0
"""How long a command waits in all where the Arena asks for pauses."""
_MOST_SNAKES: Final = 4
_NO_SNAKE: Final = "Register one on its page first."


@dataclass(frozen=True, slots=True)
class Challenged:
    """Games that are on their way."""

    game_ids: list[str]
    snake_ids: tuple[str, ...]


def log_in(settings: Settings, token_file: Path | None) -> tuple[Path, list[OwnSnake]]:
    """Try the token and keep it; return where, and our snakes.

    Raises:
        ArenaError: there is none, or the Arena refuses it; nothing is kept.
        ArenaAwayError: the Arena does not answer; nothing is kept.
        SettingsError: the file cannot be used.
    """
    token = read_token_file(token_file) if token_file is not None else read_token(settings)
    snakes = client_for(settings, token or required_token(settings), _PATIENCE_S).snakes()
    return keep_token(settings, token), snakes


def own_snakes(settings: Settings) -> list[OwnSnake]:
    """Ask for our snakes.

    Raises:
        ArenaError, ArenaAwayError, SettingsError: as `log_in`.
    """
    return _client(settings).snakes()


def fetch(settings: Settings, tell: Callable[[str], None]) -> SyncReport:
    """Synchronise; Ctrl+C ends it after the game in hand.

    Raises:
        ArenaError, SettingsError: there is no token.
        FolderInUseError, MachineError, StateError: as `synchronise`.
    """
    token = required_token(settings)
    stopping = Stopping()
    with stopping.on_signals():
        return synchronise(settings, token, lambda: datetime.now(UTC), lambda: stopping.requested, tell)


def challenge_snakes(
    settings: Settings, names: Sequence[str], own: str | None, games: int, board: str, game_type: str
) -> Challenged:
    """Ask for games against these snakes.

    Raises:
        ArenaError: a snake is not known, or the Arena refuses.
        ArenaAwayError: too many at once, or no answer.
    """
    client = _client(settings)
    if len(names) >= _MOST_SNAKES:
        raise ArenaError(f"{len(names) + 1} snakes, where {_MOST_SNAKES} are the most", remedy="Name fewer.")
    with locked(settings):
        database = database_of(settings, create=True)
        snakes = client.snakes()
        with database.read() as connection:
            others = [snake_named(connection, snakes, name) for name in names]
        ids = (_one_of(snakes, own).id, *others)
        made = ask_for_games(client, database, WantedGame(ids, board, game_type, games), lambda: datetime.now(UTC))
    return Challenged(made, ids)


def read_standing(settings: Settings, now: datetime) -> LadderStanding:
    """Read how we stand; the Arena is not asked.

    Raises:
        StateError: there is no database yet.
    """
    with database_of(settings, create=False).read() as connection:
        return standing_of(connection, now)


def register_now(settings: Settings, snake: str | None, games: int | None, now: datetime) -> Registration:
    """Hold a snake to its newest ladder games.

    Raises:
        BadInputError: it has none, or several snakes have and none was named.
    """
    database = database_of(settings, create=False)
    with database.write() as connection:
        known = {record.snake_id: record.snake for record in standing_of(connection, now).records}
        fitting = [snake_id for snake_id, name in known.items() if snake in {None, snake_id, name}]
        if len(fitting) != 1:
            told = ", ".join(sorted(known.values())) or "none: `ouroboros arena sync` fetches them"
            raise BadInputError("which snake is meant?", where=f"snakes with ladder games: {told}")
        made = register(connection, fitting[0], games, now)
        assert made is not None, "it has results"
        return made


def explain_game(settings: Settings, game: str | None, turns: int | None, *, again: bool, now: datetime) -> GameWhy:
    """Tell why a game was lost; thought over once and kept, unless `again`.

    Raises:
        BadInputError: no such game is kept, or it was not lost.
        SnakeError, MachineError: our snake cannot be built or asked.
    """
    database = database_of(settings, create=False)
    with database.read() as connection:
        row = game_rows.lost_game(connection, game)
    if row is None:
        what = f"no lost game {line(game, 100)!r} is kept here" if game else "no lost game is kept here"
        raise BadInputError(what, remedy="`ouroboros arena sync` fetches games.")
    if row["why_json"] and not again and turns is None:
        return GameWhy.model_validate_json(row["why_json"])
    found = explain(settings, row, turns or settings.arena.explain_turns, now)
    with database.write() as connection:
        game_rows.note_why(connection, found)
    return found


def _client(settings: Settings) -> ArenaClient:
    return client_for(settings, required_token(settings), _PATIENCE_S)


def _one_of(snakes: Sequence[OwnSnake], own: str | None) -> OwnSnake:
    if not snakes:
        raise ArenaError("no snake of yours is registered at the Arena", remedy=_NO_SNAKE)
    fitting = [snake for snake in snakes if own in {None, snake.id, snake.name}]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(snake.name for snake in snakes)
    raise ArenaError("which snake of yours is to play?", where=names, remedy="Name it with --as.")
