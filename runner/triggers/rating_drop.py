"""Has a snake's rating on the public Arena's ladder fallen?"""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import Field

from runner.triggers.context import ConditionContext, ConditionVerdict
from runner.triggers.cursor_text import remembered
from schemas.base import Frozen
from schemas.ladder import LadderRating


class RatingDropParameters(Frozen):
    """Of `check_arena_rating_drop`."""

    drop: float = Field(default=2.0, gt=0)
    """Points of the ladder's rating (mu - 3 sigma of Weng-Lin, whose sigma begins at 8.33) below the highest one."""
    within_days: float = Field(default=7, gt=0, le=30)
    """How far back the highest one may lie."""
    min_games: int = Field(default=10, ge=1)
    """Ladder games played since the highest one, so that one bad day does not fire."""
    snake_name: str | None = None
    """None: any snake of ours."""
    leaderboard: str | None = None
    """The ladder's name; None: any."""


class _Fired(Frozen):
    up_to: dict[str, int]
    """By ladder and snake: the rating at which it last fired; what was before counts for nothing any more."""


def check_arena_rating_drop(context: ConditionContext) -> ConditionVerdict:
    """Fires when a snake that is ranked stands `drop` below its highest rating of the last days; once for each fall."""
    wanted = RatingDropParameters.model_validate(dict(context.parameters))
    since = context.now - timedelta(days=wanted.within_days)
    memory = remembered(_Fired, context.cursor) or _Fired(up_to={})
    up_to, found, told = dict(memory.up_to), [], []
    for key, series in _series(wanted, context.view.ladder_ratings_since(since)).items():
        counted = [rating for rating in series if rating.number >= up_to.get(key, 0)]
        if not counted:
            continue
        last = counted[-1]
        peak = max(counted, key=lambda rating: rating.rating)
        fall, games = peak.rating - last.rating, last.games_played - peak.games_played
        words = (
            f"{last.snake_name} stands at {last.rating:.2f} on {last.leaderboard_name}, {fall:.2f} below its highest"
        )
        told.append(f"{words} in {wanted.within_days:g} days, {games} games ago")
        if fall >= wanted.drop and games >= wanted.min_games:
            found.append(told[-1])
            up_to[key] = last.number
    reason = "; ".join(found or told) or "no snake of ours is ranked on the Arena's ladder"
    return ConditionVerdict(bool(found), reason, _Fired(up_to=up_to).model_dump_json())


def _series(wanted: RatingDropParameters, ratings: Sequence[LadderRating]) -> dict[str, list[LadderRating]]:
    found: dict[str, list[LadderRating]] = {}
    for rating in ratings:
        ours = wanted.snake_name in {None, rating.snake_name} and wanted.leaderboard in {None, rating.leaderboard_name}
        if ours and rating.rank is not None:
            found.setdefault(f"{rating.leaderboard_id} {rating.snake_id}", []).append(rating)
    return found
