"""What the public Arena's tables tell; the work fills them (`pipeline.ladder`), here they are only read."""

from datetime import datetime

from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from schemas.base import Frozen
from schemas.ladder import LadderRating, LadderRegistration, LadderResult, rating_bands
from schemas.times import from_text, to_text

_results = table(
    "arena_results",
    *(column(name) for name in ("id", "snake_id", "opponents", "opponent_rating", "score")),
)
_registrations = table(
    "arena_registrations",
    *(column(name) for name in ("id", "at", "snake_id", "snake_name", "games", "up_to_result", "bands_json")),
)
_ratings = table(
    "arena_ratings",
    *(column(name) for name in ("id", "at", "leaderboard_id", "leaderboard_name", "snake_id", "snake_name")),
    *(column(name) for name in ("rating", "rank", "games_played")),
)
_syncs = table("arena_syncs", *(column(name) for name in ("id", "ended_at", "games", "waiting", "trouble")))
_RATINGS = 10_000


class LastSync(Frozen):
    """How the newest synchronisation ended."""

    ended_at: datetime
    games: int
    waiting: int
    trouble: str
    """Empty: all went well."""


def last_sync(session: Session) -> LastSync | None:
    """The newest one; None: there was none yet."""
    row = session.execute(select(_syncs).order_by(_syncs.c.id.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    ended = from_text(row["ended_at"])
    return LastSync(ended_at=ended, games=row["games"], waiting=row["waiting"], trouble=row["trouble"])


def registrations(session: Session) -> list[LadderRegistration]:
    """The newest of each snake."""
    newest = select(func.max(_registrations.c.id)).group_by(_registrations.c.snake_id)
    rows = session.execute(select(_registrations).where(_registrations.c.id.in_(newest)).order_by("id")).mappings()
    return [
        LadderRegistration(
            number=row["id"],
            snake_id=row["snake_id"],
            snake_name=row["snake_name"],
            games=row["games"],
            up_to_result=row["up_to_result"],
            bands=rating_bands(row["bands_json"]),
        )
        for row in rows
    ]


def results_after(session: Session, snake_id: str, number: int, limit: int) -> list[LadderResult]:
    """A snake's ladder games that came after the one of that number, in their order."""
    later = (_results.c.snake_id == snake_id) & (_results.c.id > number)
    rows = session.execute(select(_results).where(later).order_by(_results.c.id).limit(limit)).mappings()
    return [
        LadderResult(
            number=row["id"], opponents=row["opponents"], opponent_rating=row["opponent_rating"], score=row["score"]
        )
        for row in rows
    ]


def ratings_since(session: Session, since: datetime) -> list[LadderRating]:
    """Our snakes' ratings from then on, and the last one of each before it, in the order in which they came."""
    series = (_ratings.c.leaderboard_id, _ratings.c.snake_id)
    moment = to_text(since)
    before = select(func.max(_ratings.c.id)).where(_ratings.c.at < moment).group_by(*series)
    query = select(_ratings).where((_ratings.c.at >= moment) | _ratings.c.id.in_(before))
    rows = session.execute(query.order_by(_ratings.c.id.desc()).limit(_RATINGS)).mappings().all()
    return [
        LadderRating(
            number=row["id"],
            at=from_text(row["at"]),
            leaderboard_id=row["leaderboard_id"],
            leaderboard_name=row["leaderboard_name"],
            snake_id=row["snake_id"],
            snake_name=row["snake_name"],
            rating=row["rating"],
            rank=row["rank"],
            games_played=row["games_played"],
        )
        for row in reversed(rows)
    ]
