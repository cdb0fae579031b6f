"""What a snake is held to: its win rate on the ladder by rating of the opponents, with intervals.

Games are grouped by the number of opponents, and, where that leaves enough, cut by the opponents' rating into as many
equal parts as hold `LEAST_GAMES` each. A trigger (`check_performance_degradation`) compares later games, each with the
band that it falls into, so that stronger opponents are not taken for a weaker snake.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select

from pipeline.evaluation.intervals import wilson
from pipeline.ladder.tables import registrations, results
from schemas.ladder import RatingBand, rating_bands
from schemas.times import to_text

LEAST_GAMES: Final = 25
"""In a band: its interval is at most 0.4 wide then."""
MOST_BANDS: Final = 5


@dataclass(frozen=True, slots=True)
class Result:
    """A ladder game that counts."""

    opponents: int
    rating: float | None
    """The opponents' mean; None: none was rated."""
    score: float


@dataclass(frozen=True, slots=True)
class Registration:
    """What a snake is held to, since when."""

    snake_name: str
    at: str
    games: int
    bands: list[RatingBand]


def bands_of(found: Sequence[Result]) -> list[RatingBand]:
    """Return the bands of these games, each with its interval, by number of opponents and rating."""
    groups: defaultdict[tuple[int, bool], list[Result]] = defaultdict(list)
    for result in found:
        groups[result.opponents, result.rating is not None].append(result)
    return [band for key in sorted(groups) for band in _bands(groups[key])]


def _bands(group: list[Result]) -> list[RatingBand]:
    if group[0].rating is None:
        return [_band(group, None, None)]
    by_rating = sorted(group, key=lambda result: result.rating or 0.0)
    parts = max(1, min(MOST_BANDS, len(group) // LEAST_GAMES))
    wanted = [by_rating[len(group) * part // parts].rating for part in range(1, parts)]
    lowest = by_rating[0].rating
    cuts = sorted({cut for cut in wanted if cut is not None and lowest is not None and cut > lowest})
    edges = [None, *cuts, None]
    return [
        _band([result for result in group if _between(result.rating, low, high)], low, high)
        for low, high in itertools.pairwise(edges)
    ]


def _between(rating: float | None, low: float | None, high: float | None) -> bool:
    return rating is not None and (low is None or rating >= low) and (high is None or rating < high)


def _band(group: Sequence[Result], low: float | None, high: float | None) -> RatingBand:
    score = sum(result.score for result in group)
    sure_low, sure_high = wilson(score, len(group))
    return RatingBand(
        opponents=group[0].opponents,
        rating_from=low,
        rating_below=high,
        rated=group[0].rating is not None,
        games=len(group),
        score=score,
        win_rate=score / len(group),
        low=sure_low,
        high=sure_high,
    )


def newest(connection: Connection, snake_id: str) -> Registration | None:
    """Return what the snake is held to; None: nothing yet."""
    query = select(registrations).where(registrations.c.snake_id == snake_id).order_by(registrations.c.id.desc())
    row = connection.execute(query.limit(1)).mappings().first()
    if row is None:
        return None
    return Registration(row["snake_name"], row["at"], row["games"], rating_bands(row["bands_json"]))


def register(connection: Connection, snake_id: str, last_games: int | None, now: datetime) -> Registration | None:
    """Hold the snake to its last so many ladder games (None: all); None where it has none."""
    query = select(results).where(results.c.snake_id == snake_id).order_by(results.c.id.desc()).limit(last_games)
    rows = connection.execute(query).mappings().all()
    if not rows:
        return None
    found = [Result(row["opponents"], row["opponent_rating"], row["score"]) for row in rows]
    bands, name = bands_of(found), rows[0]["snake_name"]
    connection.execute(
        insert(registrations).values(
            at=to_text(now),
            snake_id=snake_id,
            snake_name=name,
            games=len(rows),
            up_to_result=rows[0]["id"],
            bands_json=json.dumps([band.model_dump() for band in bands]),
        )
    )
    return Registration(name, to_text(now), len(rows), bands)


def register_when_due(connection: Connection, after_games: int, now: datetime) -> list[Registration]:
    """Register each snake that has played so many ladder games and is held to nothing yet."""
    held = select(registrations.c.snake_id)
    played = func.count(results.c.id)
    query = select(results.c.snake_id).where(results.c.snake_id.not_in(held)).group_by(results.c.snake_id)
    due = connection.execute(query.having(played >= after_games)).scalars().all()
    return [made for snake_id in due if (made := register(connection, snake_id, None, now)) is not None]
