import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.triggers.built_in import (
    check_manual_trigger_file,
    check_new_data_threshold,
    check_resource_availability,
    check_schedule_ended,
    check_schedule_overdue,
)
from runner.triggers.context import ConditionContext, FinishedRun, OverdueRun
from schemas.execution import Outcome

Make = Callable[..., ConditionContext]


def test_new_data_fires_once_for_the_same_games(context_with: Make, view: Any) -> None:
    first = check_new_data_threshold(context_with(view(games=4999), min_games=5000))
    assert (first.fired, first.reason) == (False, "4999 new games since it last fired, 5000 wanted")
    second = check_new_data_threshold(context_with(view(games=5003), first.cursor, min_games=5000))
    assert second.fired
    third = check_new_data_threshold(context_with(view(games=5003), second.cursor, min_games=5000))
    assert (third.fired, third.reason) == (False, "0 new games since it last fired, 5000 wanted")
    fourth = check_new_data_threshold(context_with(view(games=10_003), third.cursor, min_games=5000))
    assert fourth.fired


def test_new_data_goes_on_when_the_count_began_anew(context_with: Make, view: Any) -> None:
    fired = check_new_data_threshold(context_with(view(games=900), min_games=10))
    less = check_new_data_threshold(context_with(view(games=5), fired.cursor, min_games=10))
    assert not less.fired
    assert check_new_data_threshold(context_with(view(games=15), less.cursor, min_games=10)).fired


def test_overdue_fires_once_per_occurrence(context_with: Make, view: Any, now: datetime) -> None:
    def late(name: str, minutes: int) -> OverdueRun:
        return OverdueRun(schedule_name=name, scheduled_for=now - timedelta(minutes=minutes))

    waiting = view(waiting=[late("nightly", 59)])
    assert not check_schedule_overdue(context_with(waiting)).fired
    waiting.waiting = [late("nightly", 61)]
    first = check_schedule_overdue(context_with(waiting))
    assert first.fired
    assert "nightly 2026-11-21T10:59" in first.reason
    assert not check_schedule_overdue(context_with(waiting, first.cursor)).fired
    waiting.waiting = [late("nightly", 61), late("weekly", 70)]
    assert check_schedule_overdue(context_with(waiting, first.cursor)).fired
    assert not check_schedule_overdue(context_with(waiting, first.cursor, schedule="nightly")).fired
    assert not check_schedule_overdue(context_with(waiting, overdue_minutes=120)).fired


def test_resources_must_be_free_for_a_while(context_with: Make, view: Any, machine: Any, now: datetime) -> None:
    free = view(machine=machine())
    first = check_resource_availability(context_with(free))
    assert not first.fired
    later = check_resource_availability(context_with(free, first.cursor, now + timedelta(minutes=9)))
    assert (later.fired, later.reason) == (False, "the machine has been free for 9.0 minutes, 10 wanted")
    third = check_resource_availability(context_with(free, later.cursor, now + timedelta(minutes=10)))
    assert third.fired
    assert not check_resource_availability(context_with(free, third.cursor, now + timedelta(minutes=11))).fired


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"free_memory_gb": 3.9}, "3.9 GB of memory"),
        ({"free_disk_gb": 9}, "9.0 GB of disk"),
        ({"cpu_usage_percent": 51}, "CPU at 51 %"),
        ({"cpu_usage_percent": None}, "not been measured"),
    ],
)
def test_a_shortage_begins_the_count_anew(
    context_with: Make, view: Any, machine: Any, now: datetime, fields: dict[str, float], says: str
) -> None:
    first = check_resource_availability(context_with(view(machine=machine())))
    short = check_resource_availability(
        context_with(view(machine=machine(**fields)), first.cursor, now + timedelta(minutes=5))
    )
    assert not short.fired
    assert says in short.reason
    again = check_resource_availability(
        context_with(view(machine=machine()), short.cursor, now + timedelta(minutes=11))
    )
    assert not again.fired


def test_a_trigger_file_fires_once_until_it_is_another(context_with: Make, tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "trigger_training.txt"
    assert not check_manual_trigger_file(context_with()).fired
    path.touch()
    os.utime(path, (now.timestamp(), now.timestamp() - 0.4))
    assert not check_manual_trigger_file(context_with()).fired, "it may still be written to"
    first = check_manual_trigger_file(context_with(now=now + timedelta(seconds=2)))
    assert first.fired
    assert not check_manual_trigger_file(context_with(cursor=first.cursor, now=now + timedelta(seconds=3))).fired
    os.utime(path, (now.timestamp(), now.timestamp() + 60))
    later = now + timedelta(seconds=120)
    assert check_manual_trigger_file(context_with(cursor=first.cursor, now=later)).fired
    assert not check_manual_trigger_file(context_with(now=later, trigger_file="elsewhere.txt")).fired


def test_chain_fires_for_the_named_end_only(context_with: Make, view: Any, run: Callable[..., FinishedRun]) -> None:
    runs = view(ended=[run(1), run(2)])
    first = check_schedule_ended(context_with(runs, schedule="nightly"))
    assert not first.fired, "runs before the first look count for nothing"
    runs.ended = [*runs.ended, run(3, outcome=Outcome.FAILED), run(4, schedule_name="weekly")]
    second = check_schedule_ended(context_with(runs, first.cursor, schedule="nightly"))
    assert not second.fired
    runs.ended = [*runs.ended, run(5)]
    third = check_schedule_ended(context_with(runs, second.cursor, schedule="nightly"))
    assert (third.fired, third.reason) == (True, "run 5 of nightly ended: succeeded")
    assert not check_schedule_ended(context_with(runs, third.cursor, schedule="nightly")).fired
    assert check_schedule_ended(context_with(runs, first.cursor, schedule="nightly", outcome="failed")).fired
    assert check_schedule_ended(context_with(runs, first.cursor, schedule="weekly", outcome=None)).fired


def test_chain_does_not_pass_over_a_run_that_ends_late(
    context_with: Make, view: Any, run: Callable[..., FinishedRun]
) -> None:
    runs = view(ended=[run(1)], under_way=[2])
    cursor = check_schedule_ended(context_with(runs, schedule="nightly")).cursor
    runs.ended = [run(1), run(3, schedule_name="weekly")]
    early = check_schedule_ended(context_with(runs, cursor, schedule="weekly"))
    assert early.fired
    assert not check_schedule_ended(context_with(runs, early.cursor, schedule="weekly")).fired, "3 fired already"
    runs.ended, runs.under_way = [run(1), run(2), run(3, schedule_name="weekly")], []
    assert not check_schedule_ended(context_with(runs, early.cursor, schedule="weekly")).fired
    assert check_schedule_ended(context_with(runs, early.cursor, schedule="nightly")).fired


@pytest.mark.parametrize("cursor", ["", "{}", "null", '{"other": 1}', "not json"])
def test_a_cursor_that_cannot_be_read_begins_anew(context_with: Make, view: Any, cursor: str) -> None:
    assert check_new_data_threshold(context_with(view(games=10), cursor, min_games=10)).fired
