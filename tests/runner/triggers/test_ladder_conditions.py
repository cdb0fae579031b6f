"""The public Arena's ladder: is a snake worse than it is held to, against whom it met; has its rating fallen?"""

import json
import math
import random
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from runner.store import ladder
from runner.store.engine import Store
from runner.triggers.context import ConditionContext
from runner.triggers.degradation import check_performance_degradation
from runner.triggers.ladder_conditions import check_arena_rating_drop
from schemas.ladder import LadderRating, LadderRegistration, LadderResult, RatingBand
from schemas.times import to_text

Make = Callable[..., ConditionContext]
WEAK = RatingBand(
    opponents=1, rating_from=None, rating_below=10, rated=True, games=100, score=80, win_rate=0.8, low=0.71, high=0.87
)
STRONG = RatingBand(
    opponents=1, rating_from=10, rating_below=None, rated=True, games=100, score=30, win_rate=0.3, low=0.22, high=0.4
)


def held(number: int = 1, up_to: int = 0) -> LadderRegistration:
    return LadderRegistration(
        number=number, snake_id="s", snake_name="Ouro", games=200, up_to_result=up_to, bands=[WEAK, STRONG]
    )


def games(count: int, share_won: float, rating: float | None, seed: int = 1, first: int = 1) -> list[LadderResult]:
    chance = random.Random(seed)
    return [
        LadderResult(number=first + at, opponents=1, opponent_rating=rating, score=float(chance.random() < share_won))
        for at in range(count)
    ]


def test_losses_against_the_weak_fire_after_as_many_as_the_test_needs(context_with: Make, view: Any) -> None:
    needed = math.ceil(math.log(1 / 0.01) / math.log((1 - 0.66) / (1 - 0.71)))
    lost = games(needed, 0, 5.0)
    first = check_performance_degradation(context_with(view(held=[held()], results=lost[:-1])))
    assert not first.fired
    assert f"Ouro: undecided after {needed - 1} ladder games, mean score 0.000, 0.800 registered" in first.reason
    again = check_performance_degradation(context_with(view(held=[held()], results=lost[:-1]), first.cursor))
    assert again == first, "the same games do not decide twice"
    last = check_performance_degradation(context_with(view(held=[held()], results=lost), first.cursor))
    assert last.fired
    assert f"Ouro scored 0.000 over {needed} ladder games, 0.800 registered" in last.reason
    assert not check_performance_degradation(context_with(view(held=[held()], results=lost), last.cursor)).fired


def test_stronger_opponents_are_not_taken_for_a_weaker_snake(context_with: Make, view: Any) -> None:
    """As many defeats as would damn it against the weak are what it is held to against the strong."""
    results = games(400, 0.3, 15.0)
    assert not check_performance_degradation(context_with(view(held=[held()], results=results))).fired
    same_against_weak = games(400, 0.3, 5.0)
    assert check_performance_degradation(context_with(view(held=[held()], results=same_against_weak))).fired


def test_a_healthy_snake_is_seldom_called_degraded_and_a_worse_one_nearly_always(context_with: Make, view: Any) -> None:
    def fired(share_weak: float, share_strong: float, seed: int) -> bool:
        mixed = [*games(200, share_weak, 5.0, seed), *games(200, share_strong, 15.0, seed + 5000, first=201)]
        return check_performance_degradation(context_with(view(held=[held()], results=mixed))).fired

    assert sum(fired(0.8, 0.3, seed) for seed in range(100)) <= 3
    assert sum(fired(0.55, 0.12, seed) for seed in range(30)) >= 27


def test_games_of_no_band_say_nothing_and_a_new_registration_begins_anew(context_with: Make, view: Any) -> None:
    unrated = games(300, 0, None)
    verdict = check_performance_degradation(context_with(view(held=[held()], results=unrated)))
    assert (verdict.fired, verdict.reason) == (False, "Ouro: undecided after 0 ladder games")
    lost = games(20, 0, 5.0)
    before = check_performance_degradation(context_with(view(held=[held()], results=lost)))
    anew = context_with(view(held=[held(number=2, up_to=20)], results=lost), before.cursor)
    assert check_performance_degradation(anew).reason == "Ouro: undecided after 0 ladder games"


def test_a_rate_of_the_users_own_goes_before_the_ladder(context_with: Make, view: Any) -> None:
    given = context_with(view(held=[held()], results=games(300, 0, 5.0)), registered_win_rate=0.6)
    assert "ladder" not in check_performance_degradation(given).reason


def rating(number: int, points: float, at: datetime, played: int, rank: int | None = 3) -> LadderRating:
    return LadderRating(
        number=number, at=at, leaderboard_id="l", leaderboard_name="Standard 11x11", snake_id="s", snake_name="Ouro",
        rating=points, rank=rank, games_played=played,
    )  # fmt: skip


def test_a_fall_of_the_rating_fires_once(context_with: Make, view: Any, now: datetime) -> None:
    day = timedelta(days=1)
    path = [
        rating(1, 20.0, now - 20 * day, 50),
        rating(2, 12.0, now - 5 * day, 100),
        rating(3, 10.5, now - 2 * day, 120),
        rating(4, 9.9, now - day, 125),
    ]
    seen = [check_arena_rating_drop(context_with(view(ratings=path[:count]))) for count in (2, 3, 4)]
    assert [verdict.fired for verdict in seen] == [False, False, True]
    assert seen[2].reason == (
        "Ouro stands at 9.90 on Standard 11x11, 2.10 below its highest in 7 days, 25 games ago"
    ), "what was three weeks ago counts for nothing"
    again = check_arena_rating_drop(context_with(view(ratings=path), seen[2].cursor))
    assert not again.fired
    deeper = [*path, rating(5, 7.8, now, 140)]
    assert check_arena_rating_drop(context_with(view(ratings=deeper), again.cursor)).fired, "a further fall of two"


def test_a_fall_within_few_games_or_of_a_snake_not_ranked_is_none(context_with: Make, view: Any, now: datetime) -> None:
    quick = [rating(1, 12.0, now - timedelta(days=2), 100), rating(2, 9.0, now, 105)]
    assert not check_arena_rating_drop(context_with(view(ratings=quick))).fired
    assert check_arena_rating_drop(context_with(view(ratings=quick), min_games=5)).fired
    assert not check_arena_rating_drop(context_with(view(ratings=quick), min_games=5, snake_name="Other")).fired
    fresh = [rating(1, 5.0, now - timedelta(days=2), 1, None), rating(2, 0.0, now, 40, None)]
    verdict = check_arena_rating_drop(context_with(view(ratings=fresh)))
    assert (verdict.fired, verdict.reason) == (False, "no snake of ours is ranked on the Arena's ladder")


def test_the_rows_of_the_arena_are_read(store: Store, now: datetime) -> None:
    assert store.path is not None
    bands = json.dumps([WEAK.model_dump(), STRONG.model_dump()])
    early, late = to_text(now - timedelta(days=30)), to_text(now)
    with sqlite3.connect(store.path) as plain:
        plain.execute("INSERT INTO arena_games (game_id, state, challenged, snake_id, snake_name, own_seats, board, "
                      "game_type, snakes_json, created_at, attempts, reason) VALUES ('g', 'kept', 0, 's', 'Ouro', 1, "
                      "'11x11', 'Standard', '[]', ?, 0, '')", (late,))  # fmt: skip
        plain.execute("INSERT INTO arena_results (game_id, snake_id, snake_name, opponents, opponent_rating, score, "
                      "ended_at) VALUES ('g', 's', 'Ouro', 1, 8.5, 0.5, ?)", (late,))  # fmt: skip
        for snake in ("s", "s", "t"):
            plain.execute("INSERT INTO arena_registrations (at, snake_id, snake_name, games, up_to_result, bands_json) "
                          "VALUES (?, ?, 'Ouro', 200, 0, ?)", (late, snake, bands))  # fmt: skip
        for at, points in ((early, 1.0), (early, 2.0), (late, 3.0)):
            plain.execute("INSERT INTO arena_ratings (at, leaderboard_id, leaderboard_name, snake_id, snake_name, "
                          "rating, rank, of_ranked, games_played, first_places) "
                          "VALUES (?, 'l', 'Standard', 's', 'Ouro', ?, 1, 5, 30, 10)", (at, points))  # fmt: skip
        plain.execute("INSERT INTO arena_syncs (started_at, ended_at, games, refused, waiting, requests, bytes_read, "
                      "trouble) VALUES (?, ?, 3, 0, 1, 9, 99, 'no answer')", (early, late))  # fmt: skip
    plain.close()
    with store.read() as session:
        registered = ladder.registrations(session)
        assert [(one.number, one.snake_id, one.bands) for one in registered] == [
            (2, "s", [WEAK, STRONG]),
            (3, "t", [WEAK, STRONG]),
        ]
        (result,) = ladder.results_after(session, "s", 0, 10)
        assert (result.opponent_rating, result.score) == (8.5, 0.5)
        assert ladder.results_after(session, "s", result.number, 10) == []
        assert [one.rating for one in ladder.ratings_since(session, now - timedelta(days=7))] == [2.0, 3.0]
        last = ladder.last_sync(session)
        assert last is not None
        assert (last.games, last.waiting, last.trouble, last.ended_at) == (3, 1, "no answer", now)
