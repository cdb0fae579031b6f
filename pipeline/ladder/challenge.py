"""Games that we ask the Arena for, against named snakes. The Arena plays them: nobody's server is called by us."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from pipeline.ladder.answers import ListedGame, OwnSnake
from pipeline.ladder.client import ArenaClient, Busy
from pipeline.ladder.connection import Unreached
from pipeline.ladder.tables import challenges, games, opponents
from pipeline.registry.database import RegistryDatabase
from schemas.errors import ArenaAwayError, ArenaError
from schemas.outside_text import REASON_LIMIT, line
from schemas.times import from_text, to_text

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""Our clock and the Arena's may be apart by so much."""
_LISTED: Final = 100
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
ASKED: Final = "asked"
CREATED: Final = "created"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"
MOST_GAMES: Final = 20
WINDOW: Final = timedelta(minutes=10)
"""The Arena takes so many in so long by default, and counts those that it turns away too."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A game that was asked for."""

    number: int
    asked_at: datetime
    snake_ids: tuple[str, ...]
    board: str


@dataclass(frozen=True, slots=True)
class WantedGame:
    """What is asked for, `games` times."""

    snake_ids: tuple[str, ...]
    """Ours first."""
    board: str
    game_type: str
    games: int


def ask_for_games(
    client: ArenaClient, database: RegistryDatabase, wanted: WantedGame, now: Callable[[], datetime]
) -> list[str]:
    """Ask for the games one after the other; return their ids.

    Raises:
        ArenaError: refused, in the server's words; the games before are on their way.
        ArenaAwayError: too many in the last minutes, or no answer: whether that last game came about is found out by
            the next synchronisation.
    """
    made: list[str] = []
    for _ in range(wanted.games):
        with database.write() as connection:
            free_at = room_at(connection, now())
            if free_at is not None:
                raise ArenaAwayError(
                    f"{MOST_GAMES} games were asked for in the last 10 minutes, {len(made)} of them now",
                    remedy=f"Ask for the rest after {free_at:%H:%M:%S} UTC.",
                )
            number = ask(connection, wanted.snake_ids, wanted.board, wanted.game_type, now())
        made.append(_ask_once(client, database, wanted, number))
    return made


def _ask_once(client: ArenaClient, database: RegistryDatabase, wanted: WantedGame, number: int) -> str:
    try:
        game = client.create_game(wanted.snake_ids, wanted.board, wanted.game_type)
    except (ArenaError, ArenaAwayError) as error:
        certain = isinstance(error, ArenaError | Unreached | Busy)
        with database.write() as connection:
            answered(connection, number, REFUSED if certain else UNKNOWN, None, str(error))
        raise
    with database.write() as connection:
        answered(connection, number, CREATED, game.id)
    return game.id


def settle_challenges(client: ArenaClient, database: RegistryDatabase, own: Sequence[OwnSnake]) -> None:
    """Find the games of challenges whose answer was lost, in the lists of our snakes' games.

    Raises:
        ArenaAwayError: the lists cannot be had.
    """
    with database.read() as connection:
        open_ones = unsettled(connection)
    lists: dict[str, list[ListedGame]] = {}
    for challenge in open_ones:
        ours = next((snake.id for snake in own if snake.id in challenge.snake_ids), None)
        if ours is None:
            continue
        if ours not in lists:
            lists[ours] = client.games(ours, _LISTED).games
        with database.write() as connection:
            _settle(connection, challenge, lists[ours])


def _settle(connection: Connection, challenge: Challenge, listed: Sequence[ListedGame]) -> None:
    taken = claimed(connection, [game.id for game in listed])
    fitting = [
        game
        for game in listed
        if game.id not in taken
        and game.board == challenge.board
        and game.created_at >= challenge.asked_at - _CLOCKS_DIFFER
        and sorted(snake.id for snake in game.snakes) == sorted(challenge.snake_ids)
    ]
    if fitting:
        first = min(fitting, key=lambda game: game.created_at)
        answered(connection, challenge.number, CREATED, first.id)
    else:
        answered(connection, challenge.number, REFUSED, None, "no answer came, and no game came about")


def snake_named(connection: Connection, own: Sequence[OwnSnake], wanted: str) -> str:
    """Return the id of the snake of that name or id, ours or one that we know of.

    Raises:
        ArenaError: none is known, or several are; tells their ids.
    """
    known = {snake.id: (snake.name, "ours") for snake in own}
    query = select(opponents.c.snake_id, opponents.c.name, opponents.c.owner)
    where = (opponents.c.name == wanted) | (opponents.c.snake_id == wanted)
    known |= {row.snake_id: (row.name, row.owner) for row in connection.execute(query.where(where))}
    found = [snake_id for snake_id, (name, _) in known.items() if wanted in {snake_id, name}]
    if len(found) == 1:
        return found[0]
    if not found and _UUID.fullmatch(wanted):
        return wanted  # of a snake that we have not met: the Arena knows
    if not found:
        raise ArenaError(
            f"no snake {line(wanted, 100)!r} is known here",
            remedy="`ouroboros arena standing` names those that we met; a snake's id from its page does as well.",
        )
    several = ", ".join(f"{snake_id} ({known[snake_id][1] or 'owner not known'})" for snake_id in found)
    raise ArenaError(f"{len(found)} snakes are named {line(wanted, 100)!r}", remedy=f"Give the id: {several}.")


def ask(connection: Connection, snake_ids: Sequence[str], board: str, game_type: str, now: datetime) -> int:
    """Write down that a game is about to be asked for; return the row's number."""
    values = {
        "asked_at": to_text(now),
        "snakes_json": json.dumps(list(snake_ids)),
        "board": board,
        "game_type": game_type,
        "state": ASKED,
        "reason": "",
    }
    made = connection.execute(insert(challenges).values(values))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def answered(connection: Connection, number: int, state: str, game_id: str | None, reason: str = "") -> None:
    """Write down what came of it; its game is known as a challenge from then on."""
    values = {"state": state, "game_id": game_id, "reason": line(reason, REASON_LIMIT)}
    connection.execute(update(challenges).where(challenges.c.id == number).values(**values))
    if game_id is not None:
        connection.execute(update(games).where(games.c.game_id == game_id).values(challenged=True))


def unsettled(connection: Connection) -> list[Challenge]:
    """Return those of which it is not known whether a game came about, the oldest first."""
    query = select(challenges).where(challenges.c.state.in_([ASKED, UNKNOWN])).order_by(challenges.c.id).limit(100)
    return [
        Challenge(row["id"], from_text(row["asked_at"]), tuple(json.loads(row["snakes_json"])), row["board"])
        for row in connection.execute(query).mappings()
    ]


def claimed(connection: Connection, game_ids: Sequence[str]) -> set[str]:
    """Return which of these games belong to a challenge already."""
    query = select(challenges.c.game_id).where(challenges.c.game_id.in_(list(game_ids)))
    return {game_id for game_id in connection.execute(query).scalars() if game_id is not None}


def room_at(connection: Connection, now: datetime) -> datetime | None:
    """Return when the next game may be asked for; None: now."""
    since = to_text(now - WINDOW)
    recent = select(challenges.c.asked_at).where(challenges.c.asked_at > since).order_by(challenges.c.asked_at.desc())
    if connection.execute(select(func.count()).select_from(recent.subquery())).scalar_one() < MOST_GAMES:
        return None
    decisive = connection.execute(recent.limit(1).offset(MOST_GAMES - 1)).scalar_one()
    return from_text(decisive) + WINDOW
