"""How our snakes stand on the ladder, out of the rows: ratings, record by rating of the opponents, who beat us."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from pipeline.ladder.registration import Result, bands_of, newest
from pipeline.ladder.tables import games, opponents, ratings, results, syncs
from schemas.base import Frozen
from schemas.ladder import RatingBand
from schemas.times import from_text, to_text

_WEEK: Final = timedelta(days=7)
_RECENT: Final = 1000
_BEATEN_BY: Final = 20


class Place(Frozen):
    """Where a snake of ours stands on a ladder."""

    leaderboard: str
    snake_id: str
    snake: str
    rating: float
    rank: int | None
    """None: not ranked yet."""
    of_ranked: int
    games_played: int
    first_places: int
    at: datetime
    """Since when it stands so."""
    week_before: float | None
    """Its rating seven days ago; None: not known."""


class Record(Frozen):
    """What a snake of ours scored lately, and what it is held to."""

    snake_id: str
    snake: str
    games: int
    """Its newest ladder games that count, at most a thousand."""
    bands: list[RatingBand]
    registered_at: datetime | None
    registered: list[RatingBand]


class BeatenBy(Frozen):
    """A snake that has beaten us: an opponent to play against, through the Arena."""

    snake_id: str
    name: str
    owner: str
    rating: float | None
    games: int
    won: int
    """By us."""
    lost: int


class Standing(Frozen):
    """All of it."""

    places: list[Place]
    records: list[Record]
    beaten_by: list[BeatenBy]
    """Those that won most against us come first."""
    lost_unexplained: int
    """Lost games whose last turns nobody has thought over."""
    synced_at: datetime | None
    trouble: str
    """Of the last synchronisation."""


def standing(connection: Connection, now: datetime) -> Standing:
    """Read how we stand."""
    last = connection.execute(select(syncs).order_by(syncs.c.id.desc()).limit(1)).mappings().first()
    lost = select(func.count()).select_from(games).where((games.c.outcome == "loss") & games.c.why_at.is_(None))
    return Standing(
        places=_places(connection, now),
        records=_records(connection),
        beaten_by=_beaten_by(connection),
        lost_unexplained=connection.execute(lost).scalar_one(),
        synced_at=from_text(last["ended_at"]) if last else None,
        trouble=last["trouble"] if last else "",
    )


def _places(connection: Connection, now: datetime) -> list[Place]:
    newest_of_each = select(func.max(ratings.c.id)).group_by(ratings.c.leaderboard_id, ratings.c.snake_id)
    query = select(ratings).where(ratings.c.id.in_(newest_of_each))
    rows = connection.execute(query.order_by(ratings.c.leaderboard_name, ratings.c.rating.desc())).mappings().all()
    found = []
    for row in rows:
        same = (ratings.c.leaderboard_id == row["leaderboard_id"]) & (ratings.c.snake_id == row["snake_id"])
        before = select(ratings.c.rating).where(same & (ratings.c.at <= to_text(now - _WEEK)))
        found.append(
            Place(
                leaderboard=row["leaderboard_name"],
                snake_id=row["snake_id"],
                snake=row["snake_name"],
                rating=row["rating"],
                rank=row["rank"],
                of_ranked=row["of_ranked"],
                games_played=row["games_played"],
                first_places=row["first_places"],
                at=from_text(row["at"]),
                week_before=connection.execute(before.order_by(ratings.c.id.desc()).limit(1)).scalar(),
            )
        )
    return found


def _records(connection: Connection) -> list[Record]:
    named = select(results.c.snake_id, func.max(results.c.snake_name).label("name")).group_by(results.c.snake_id)
    found = []
    for snake_id, name in connection.execute(named.order_by("name")).all():
        query = select(results).where(results.c.snake_id == snake_id).order_by(results.c.id.desc()).limit(_RECENT)
        rows = connection.execute(query).mappings().all()
        held = newest(connection, snake_id)
        found.append(
            Record(
                snake_id=snake_id,
                snake=name,
                games=len(rows),
                bands=bands_of([Result(row["opponents"], row["opponent_rating"], row["score"]) for row in rows]),
                registered_at=from_text(held.at) if held else None,
                registered=held.bands if held else [],
            )
        )
    return found


def _beaten_by(connection: Connection) -> list[BeatenBy]:
    query = select(opponents).where(opponents.c.last_lost_at.is_not(None))
    order = (opponents.c.lost - opponents.c.won).desc(), opponents.c.last_lost_at.desc()
    return [
        BeatenBy(**{name: row[name] for name in BeatenBy.model_fields})
        for row in connection.execute(query.order_by(*order).limit(_BEATEN_BY)).mappings()
    ]
