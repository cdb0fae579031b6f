"""The rows of ratings: ours over time, and the last one of each opponent."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from pipeline.ladder.answers import RankingEntry, Rankings
from pipeline.ladder.tables import opponents, ratings
from schemas.times import to_text


def note_rankings(connection: Connection, table: Rankings, own: Collection[str], now: datetime) -> int:
    """Write down a ladder's table; return how many of our ratings changed."""
    changed = 0
    for entry in table.ranked:
        changed += _note(connection, table, entry, own, now, entry.rank)
    for entry in table.placement:
        changed += _note(connection, table, entry, own, now, None)
    return changed


def _note(
    connection: Connection, table: Rankings, entry: RankingEntry, own: Collection[str], now: datetime, rank: int | None
) -> int:
    if entry.battlesnake_id not in own:
        _note_opponent(connection, entry, now)
        return 0
    where = (ratings.c.leaderboard_id == table.leaderboard_id) & (ratings.c.snake_id == entry.battlesnake_id)
    query = select(ratings).where(where).order_by(ratings.c.id.desc()).limit(1)
    last = connection.execute(query).mappings().first()
    values = {
        "leaderboard_id": table.leaderboard_id,
        "leaderboard_name": table.leaderboard_name,
        "snake_id": entry.battlesnake_id,
        "snake_name": entry.snake_name,
        "rating": entry.display_score,
        "rank": rank,
        "of_ranked": len(table.ranked),
        "games_played": entry.games_played,
        "first_places": entry.first_place_finishes,
    }
    told = ("rating", "rank", "games_played", "snake_name")
    if last is not None and all(last[name] == values[name] for name in told):
        return 0
    connection.execute(insert(ratings).values(at=to_text(now), **values))
    return 1


def _note_opponent(connection: Connection, entry: RankingEntry, now: datetime) -> None:
    """A snake that has not played on the ladder yet has no rating, whatever number the table shows."""
    snake_id = entry.battlesnake_id
    row = connection.execute(select(opponents).where(opponents.c.snake_id == snake_id)).mappings().first()
    rating = entry.display_score if entry.games_played else None
    values = {"name": entry.snake_name, "owner": entry.owner, "rating": rating}
    if row is None:
        first = {"snake_id": snake_id, "games": 0, "won": 0, "lost": 0, "rating_at": to_text(now), **values}
        connection.execute(insert(opponents).values(first))
    elif any(row[name] != value for name, value in values.items()):
        changed = {**values, "rating_at": to_text(now)}
        connection.execute(update(opponents).where(opponents.c.snake_id == snake_id).values(**changed))
