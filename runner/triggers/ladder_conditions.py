"""What the public Arena's ladder says of a snake: does it win less than it is held to, has its rating fallen?

A snake is held to a win rate for each band of its opponents (`arena_registrations`). Game i falls into a band of rate
p0_i, and is tested against p1_i = p0_i - degradation_threshold: the product of the games' likelihood ratios is a
supermartingale whatever bands come in which order, so that Ville's inequality bounds the error as in `degradation`. The
rate is itself an estimate: p0_i is the lower end of its 95 % interval, so that luck in the registered games does not
call a healthy snake degraded. Games of no band, and of bands whose rate cannot fall by the threshold, say nothing.
"""

import math
from collections.abc import Sequence
from datetime import timedelta

from pydantic import Field

from runner.triggers.context import ConditionContext, ConditionVerdict, load_cursor
from schemas.base import Frozen
from schemas.ladder import LadderRating, LadderRegistration, LadderResult


class Evidence(Frozen):
    """What is asked of the test."""

    threshold: float
    alpha: float
    beta: float


class _Test(Frozen):
    """A snake's test in hand."""

    registration: int
    up_to_result: int
    log_ratio: float = 0.0
    games: int = 0
    score: float = 0.0
    expected: float = 0.0
    """Sum of the registered rates of the bands that the games fell into."""


class _Memory(Frozen):
    tests: dict[str, _Test]
    """By the snake's id."""


def check_ladder(evidence: Evidence, held: Sequence[LadderRegistration], context: ConditionContext) -> ConditionVerdict:
    """Go on with each snake's test; fires when one finds that its snake has lost the threshold or more."""
    memory = load_cursor(_Memory, context.cursor) or _Memory(tests={})
    tests, found, told = {}, [], []
    for one in held:
        test = memory.tests.get(one.snake_id)
        if test is None or test.registration != one.number:
            test = _Test(registration=one.number, up_to_result=one.up_to_result)
        results = context.view.ladder_results_after(one.snake_id, test.up_to_result)
        tests[one.snake_id], verdict, degraded = _go_on(evidence, one, test, results)
        told.append(verdict)
        found += [verdict] if degraded else []
    return ConditionVerdict(bool(found), "; ".join(found or told), _Memory(tests=tests).model_dump_json())


def _go_on(
    evidence: Evidence, held: LadderRegistration, test: _Test, results: Sequence[LadderResult]
) -> tuple[_Test, str, bool]:
    """The test after these games, what it says in words, and whether it found the snake degraded."""
    degraded, healthy = math.log(1 / evidence.alpha), math.log(evidence.beta)
    found, decided = "", ""
    for result in results:
        test = _after(evidence, held, test, result)
        if healthy < test.log_ratio < degraded:
            continue
        verdict = f"{held.snake_name} scored {test.score / test.games:.3f} over {test.games} ladder games"
        verdict += f", {test.expected / test.games:.3f} registered"
        if test.log_ratio >= degraded:
            found = f"degraded by {evidence.threshold:g} or more: {verdict} (alpha {evidence.alpha:g})"
        else:
            decided = f"not degraded: {verdict} (beta {evidence.beta:g})"
        test = _Test(registration=test.registration, up_to_result=test.up_to_result)
    mean = (
        f", mean score {test.score / test.games:.3f}, {test.expected / test.games:.3f} registered" if test.games else ""
    )
    undecided = f"{held.snake_name}: undecided after {test.games} ladder games{mean}"
    return test, found or decided or undecided, bool(found)


def _after(evidence: Evidence, held: LadderRegistration, test: _Test, result: LadderResult) -> _Test:
    seen = test.model_copy(update={"up_to_result": result.number})
    band = next((band for band in held.bands if band.holds(result.opponents, result.opponent_rating)), None)
    if band is None or not evidence.threshold < band.low < 1:
        return seen
    worse = band.low - evidence.threshold
    ratio = result.score * math.log(worse / band.low) + (1 - result.score) * math.log((1 - worse) / (1 - band.low))
    return seen.model_copy(
        update={
            "log_ratio": test.log_ratio + ratio,
            "games": test.games + 1,
            "score": test.score + result.score,
            "expected": test.expected + band.win_rate,
        }
    )


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
    memory = load_cursor(_Fired, context.cursor) or _Fired(up_to={})
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
