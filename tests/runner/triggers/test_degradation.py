import errno
import math
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.triggers import games_folder
from runner.triggers.context import ConditionContext
from runner.triggers.degradation import check_performance_degradation
from schemas.settings import Settings

Make = Callable[..., ConditionContext]
RATE = {"registered_win_rate": 0.6}


def append(settings: Settings, lines: list[str], name: str = "Ouro-20261121.jsonl") -> None:
    with (settings.games_dir / name).open("a", encoding="utf-8") as handle:
        handle.writelines(lines)


def test_without_a_rate_in_production_it_says_what_is_missing_and_never_fires(
    context_with: Make, view: Any, run: Any, game: Any, settings: Settings
) -> None:
    append(settings, [game(f"g{number}", "loss") for number in range(500)])
    verdict = check_performance_degradation(context_with(view(measured=run(7, best_win_rate=0.9))))
    assert (verdict.fired, verdict.reason.split(",")[0]) == (False, "its parameters lack registered_win_rate")


def test_losses_in_a_row_fire_after_as_many_as_the_test_needs(
    context_with: Make, view: Any, run: Any, game: Any, settings: Settings
) -> None:
    champion = view(measured=run(7))
    needed = math.ceil(math.log(1 / 0.01) / math.log((1 - 0.55) / (1 - 0.6)))
    append(settings, [game(f"g{number}", "loss") for number in range(needed - 1)])
    first = check_performance_degradation(context_with(champion, **RATE))
    assert (first.fired, first.reason) == (
        False, f"undecided after {needed - 1} games, mean score 0.000, registered 0.600",
    )  # fmt: skip
    again = check_performance_degradation(context_with(champion, first.cursor, **RATE))
    assert again == first, "the same games do not decide twice"
    append(settings, [game("last", "loss")])
    third = check_performance_degradation(context_with(champion, again.cursor, **RATE))
    assert third.fired
    assert f"mean score 0.000 over {needed} games, registered 0.600" in third.reason
    assert not check_performance_degradation(context_with(champion, third.cursor, **RATE)).fired


def test_wins_end_the_test_for_healthy_and_a_new_one_begins(
    context_with: Make, view: Any, run: Any, game: Any, settings: Settings
) -> None:
    append(settings, [game(f"g{number}") for number in range(100)])
    verdict = check_performance_degradation(context_with(view(measured=run(7)), **RATE))
    assert (verdict.fired, verdict.reason.split(":")[0]) == (False, "not degraded")
    assert '"games":19' in verdict.cursor


def test_only_its_own_production_games_count(
    context_with: Make, view: Any, run: Any, game: Any, settings: Settings, now: Any
) -> None:
    lines = [
        game("solo", "loss", snakes=[{"id": "me", "name": "Ouro"}]),
        game("imported", "loss", imported_from="old.json"),
        game("before", "loss", ended_at=(now - timedelta(hours=2)).isoformat()),
        game("other", "loss", you=1),
        game("draw", "draw"),
    ]
    append(settings, lines)
    verdict = check_performance_degradation(context_with(view(measured=run(7)), snake_name="Ouro", **RATE))
    assert verdict.reason == "undecided after 1 games, mean score 0.500, registered 0.600"


def test_another_champion_begins_a_new_test(
    context_with: Make, view: Any, run: Any, game: Any, settings: Settings
) -> None:
    append(settings, [game(f"g{number}", "loss") for number in range(10)])
    first = check_performance_degradation(context_with(view(measured=run(7)), **RATE))
    assert "after 10 games" in first.reason
    same = check_performance_degradation(context_with(view(measured=run(9)), first.cursor, **RATE))
    assert "after 10 games" in same.reason, "a later run that changed nothing is the same champion"
    better = view(measured=run(9, best_model_version="abc"))
    second = check_performance_degradation(context_with(better, first.cursor, **RATE))
    assert second.reason == "undecided after 0 games, registered 0.600"
    other_rate = check_performance_degradation(context_with(view(), first.cursor, registered_win_rate=0.62))
    assert other_rate.reason == "undecided after 0 games, registered 0.620"


def test_a_rate_that_cannot_fall_that_far_is_said(context_with: Make, view: Any) -> None:
    verdict = check_performance_degradation(context_with(view(), registered_win_rate=0.04))
    assert "cannot fall by 0.05" in verdict.reason


def test_error_rates_are_as_stated(context_with: Make, game: Any, settings: Settings) -> None:
    """The first decision of each of many tests, games drawn by a fixed seed, looked at three by three."""
    draw = random.Random(20261121)
    path = settings.games_dir / "sim.jsonl"

    def decide(true_rate: float) -> bool:
        cursor, number = "", 0
        path.unlink(missing_ok=True)
        while True:
            outcomes = ["win" if draw.random() < true_rate else "loss" for _ in range(3)]
            append(settings, [game(f"g{number + at}", outcome) for at, outcome in enumerate(outcomes)], path.name)
            number += len(outcomes)
            verdict = check_performance_degradation(
                context_with(cursor=cursor, registered_win_rate=0.6, degradation_threshold=0.2, alpha=0.05, beta=0.1)
            )
            if verdict.fired or verdict.reason.startswith("not degraded"):
                return verdict.fired
            cursor = verdict.cursor

    trials = 200
    false_alarms = sum(decide(0.6) for _ in range(trials))
    overlooked = sum(not decide(0.4) for _ in range(trials))
    assert false_alarms / trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)
    assert overlooked / trials <= 0.10 + 2 * math.sqrt(0.1 * 0.9 / trials)


def test_a_game_without_an_offset_in_its_time_stops_no_test(
    context_with: Make, view: Any, run: Any, game: Any, settings: Settings
) -> None:
    old, new = "2026-11-21T09:59:00", "2026-11-21T11:59:00"  # the champion is there since 11:00 UTC
    append(settings, [game("old", "loss", ended_at=old), game("new", "loss", ended_at=new), game("last", "loss")])
    verdict = check_performance_degradation(context_with(view(measured=run(7)), **RATE))
    assert verdict.reason.startswith("undecided after 2 games")


def test_a_file_that_cannot_be_read_stops_no_test(
    context_with: Make, view: Any, run: Any, game: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(settings, [game("hidden", "loss")], "a.jsonl")
    append(settings, [game("seen", "loss")], "b.jsonl")
    real = games_folder._read_on

    def denied(path: Path, *cursors: Any) -> Any:
        if path.name == "a.jsonl":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *cursors)

    monkeypatch.setattr(games_folder, "_read_on", denied)
    verdict = check_performance_degradation(context_with(view(measured=run(7)), **RATE))
    assert verdict.reason.startswith("undecided after 1 games")
    monkeypatch.undo()
    later = check_performance_degradation(context_with(view(measured=run(7)), verdict.cursor, **RATE))
    assert later.reason.startswith("undecided after 2 games"), "it counts once it can be read"
