"""What the Arena knows of our snakes: ratings over time, results, and why games were lost. Its tables may be empty."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from pydantic import ValidationError

from runner.web.read.rows import Row, Rows
from schemas.ladder import GameWhy
from schemas.times import kept_instant, to_text


@dataclass(frozen=True, slots=True)
class RatingChange:
    """A snake's rating on one ladder, from this moment on."""

    at: datetime
    ladder: str
    snake: str
    rating: float
    rank: int | None
    of_ranked: int | None
    games: int


def ratings(rows: Rows, since: datetime, limit: int = 5_000) -> list[RatingChange]:
    """Ratings of all our snakes since then, oldest first."""
    found = rows.execute(
        "SELECT * FROM (SELECT * FROM arena_ratings WHERE at >= ? ORDER BY id DESC LIMIT ?) AS newest ORDER BY id",
        (to_text(since), limit),
    )
    return [_rating(row) for row in found]


def _rating(row: Row) -> RatingChange:
    return RatingChange(
        at=kept_instant(row["at"]),
        ladder=row["leaderboard_name"],
        snake=row["snake_name"],
        rating=row["rating"],
        rank=row["rank"],
        of_ranked=row["of_ranked"],
        games=row["games_played"],
    )


def why_lost(rows: Rows, game_id: str) -> GameWhy | None:
    """What our snake thinks of the last turns of a lost ladder game; None: nobody asked it yet."""
    row = rows.execute("SELECT why_json FROM arena_games WHERE game_id = ?", (game_id,)).fetchone()
    if row is None or not row[0]:
        return None
    try:
        return GameWhy.model_validate_json(row[0])
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class StandingNow:
    """A snake of ours on a ladder, and since when it moved."""

    now: RatingChange
    before: float | None
    """A week ago, or when it was first seen since; None: it has not changed since."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A ladder game that was lost."""

    game_id: str
    at: datetime
    snake: str
    cause: str
    killed_by: str
    turns: int | None
    last_chance: int | None
    """The last turn at which another move held; None: none did, or it was not thought over."""
    thought_over: bool


def standings(rows: Rows, week_ago: datetime, limit: int) -> list[StandingNow]:
    """The newest rating of each snake of ours on each ladder, the highest first."""
    newest = rows.execute(
        "SELECT * FROM arena_ratings WHERE id IN (SELECT max(id) FROM arena_ratings GROUP BY leaderboard_id, snake_id) "
        "ORDER BY rating DESC LIMIT ?",
        (limit,),
    )
    return [StandingNow(_rating(row), _rating_before(rows, row, to_text(week_ago))) for row in newest.fetchall()]


def _rating_before(rows: Rows, row: Row, week_ago: str) -> float | None:
    older = rows.execute(
        "SELECT rating FROM arena_ratings WHERE leaderboard_id = ? AND snake_id = ? AND id < ? "
        "ORDER BY at > ?, CASE WHEN at > ? THEN id ELSE -id END LIMIT 1",
        (row["leaderboard_id"], row["snake_id"], row["id"], week_ago, week_ago),
    ).fetchone()
    return None if older is None else float(older[0])


def outcomes(rows: Rows, since: datetime) -> dict[str, int]:
    """How many ladder games of ours since then ended how: `win`, `loss`, `draw`."""
    found = rows.execute(
        "SELECT outcome, count(*) FROM arena_games WHERE created_at >= ? AND state = 'kept' AND NOT challenged AND "
        "outcome IS NOT NULL GROUP BY outcome",
        (to_text(since),),
    )
    return {row[0]: row[1] for row in found}


def losses(rows: Rows, limit: int) -> list[Loss]:
    """The lost ladder games, the newest first."""
    found = rows.execute(
        "SELECT game_id, created_at, snake_name, cause, killed_by, turns, why_json FROM arena_games "
        "WHERE state = 'kept' AND NOT challenged AND outcome = 'loss' ORDER BY created_at DESC LIMIT ?",
        (limit,),
    )
    return [
        Loss(
            game_id=row["game_id"],
            at=kept_instant(row["created_at"]),
            snake=row["snake_name"],
            cause=row["cause"] or "",
            killed_by=row["killed_by"] or "",
            turns=row["turns"],
            last_chance=_last_chance(row["why_json"]),
            thought_over=row["why_json"] is not None,
        )
        for row in found
    ]


def _last_chance(why_json: str | None) -> int | None:
    try:
        turn = orjson.loads(why_json or "{}").get("last_chance")
    except (ValueError, AttributeError):
        return None
    return turn if isinstance(turn, int) else None
