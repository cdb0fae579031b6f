"""The rows of games that we ask for: written before the asking, so that no kill makes one be asked for twice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from pipeline.ladder.tables import challenges, games
from schemas.outside_text import REASON_LIMIT, line
from schemas.times import from_text, to_text

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
