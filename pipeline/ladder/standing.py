"""How our snakes stand on the ladder, out of the rows: ratings, record by rating of the opponents, who beat us."""

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, insert, select

from pipeline.evaluation.intervals import wilson
from pipeline.ladder.tables import games, opponents, ratings, registrations, results, syncs
from schemas.base import Frozen
from schemas.ladder import RatingBand, rating_bands
from schemas.times import from_text, to_text

_WEEK: Final = timedelta(days=7)
_RECENT: Final = 1000
_BEATEN_BY: Final = 20
LEAST_GAMES: Final = 25
"""In a band: its interval is at most 0.4 wide then."""
MOST_BANDS: Final = 5


class LadderPlace(Frozen):
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


class RatingRecord(Frozen):
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


class LadderStanding(Frozen):
    """All of it."""

    places: list[LadderPlace]
    records: list[RatingRecord]
    beaten_by: list[BeatenBy]
    """Those that won most against us come first."""
    lost_unexplained: int
    """Lost games whose last turns nobody has thought over."""
    synced_at: datetime | None
    trouble: str
    """Of the last synchronisation."""


def standing(connection: Connection, now: datetime) -> LadderStanding:
    """Read how we stand."""
    last = connection.execute(select(syncs).order_by(syncs.c.id.desc()).limit(1)).mappings().first()
    lost = select(func.count()).select_from(games).where((games.c.outcome == "loss") & games.c.why_at.is_(None))
    return LadderStanding(
        places=_places(connection, now),
        records=_records(connection),
        beaten_by=_beaten_by(connection),
        lost_unexplained=connection.execute(lost).scalar_one(),
        synced_at=from_text(last["ended_at"]) if last else None,
        trouble=last["trouble"] if last else "",
    )


def _places(connection: Connection, now: datetime) -> list[LadderPlace]:
    newest_of_each = select(func.max(ratings.c.id)).group_by(ratings.c.leaderboard_id, ratings.c.snake_id)
    query = select(ratings).where(ratings.c.id.in_(newest_of_each))
    rows = connection.execute(query.order_by(ratings.c.leaderboard_name, ratings.c.rating.desc())).mappings().all()
    found = []
    for row in rows:
        same = (ratings.c.leaderboard_id == row["leaderboard_id"]) & (ratings.c.snake_id == row["snake_id"])
        before = select(ratings.c.rating).where(same & (ratings.c.at <= to_text(now - _WEEK)))
        found.append(
            LadderPlace(
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


def _records(connection: Connection) -> list[RatingRecord]:
    named = select(results.c.snake_id, func.max(results.c.snake_name).label("name")).group_by(results.c.snake_id)
    found = []
    for snake_id, name in connection.execute(named.order_by("name")).all():
        query = select(results).where(results.c.snake_id == snake_id).order_by(results.c.id.desc()).limit(_RECENT)
        rows = connection.execute(query).mappings().all()
        held = newest(connection, snake_id)
        found.append(
            RatingRecord(
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
