"""What the Arena knows of our snakes: ratings over time, and why games were lost. Its tables may still be empty."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from runner.web.read.rows import Rows
from schemas.ladder import GameWhy
from schemas.times import from_text, to_text


@dataclass(frozen=True, slots=True)
class LadderRating:
    """A snake's rating on one ladder, from this moment on."""

    at: datetime
    ladder: str
    snake: str
    rating: float
    rank: int | None
    of_ranked: int | None
    games: int


def ratings(rows: Rows, since: datetime, limit: int = 5_000) -> list[LadderRating]:
    """Ratings of all our snakes since then, oldest first."""
    found = rows.execute(
        "SELECT * FROM (SELECT * FROM arena_ratings WHERE at >= ? ORDER BY id DESC LIMIT ?) AS newest ORDER BY id",
        (to_text(since), limit),
    )
    return [
        LadderRating(
            at=from_text(row["at"]),
            ladder=row["leaderboard_name"],
            snake=row["snake_name"],
            rating=row["rating"],
            rank=row["rank"],
            of_ranked=row["of_ranked"],
            games=row["games_played"],
        )
        for row in found
    ]


def why_lost(rows: Rows, game_id: str) -> GameWhy | None:
    """What our snake thinks of the last turns of a lost ladder game; None: nobody asked it yet."""
    row = rows.execute("SELECT why_json FROM arena_games WHERE game_id = ?", (game_id,)).fetchone()
    if row is None or not row[0]:
        return None
    try:
        return GameWhy.model_validate_json(row[0])
    except ValidationError:
        return None
