from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from runner.store import queue, schedules
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.states import ExecutionStatus
from runner.store.tables import ExecutionRow
from runner.triggers.context import RunnerView
from runner.triggers.store_view import StoreView
from schemas.automation import TrainingSchedule
from schemas.model import PipelineState


def begun(store: Store, name: str, now: datetime) -> int:
    """A run under way; its execution's id."""
    schedule = TrainingSchedule(name=name, cron_expression="@daily")
    with store.write() as session:
        instant = queue.free_instant(session, name, now)
        made = queue.record(session, NewOccurrence(schedule, instant), now, 1000)
        number = queue.begin(
            session,
            made.occurrence_id,
            now,
            worker="tuner",
            worker_reason="no GPU",
            seed=1,
            run_dir=lambda execution_id: Path(f"/runs/{execution_id}"),
        )
    assert number is not None
    return number


def ended(store: Store, execution_id: int, now: datetime, status: ExecutionStatus, **state: Any) -> None:
    with store.write() as session:
        row = session.get_one(ExecutionRow, execution_id)
        row.status, row.completed_at, row.success = status, now, status is ExecutionStatus.SUCCEEDED
        row.state = PipelineState(**state)


def a_view(store: Store, tmp_path: Path, now: datetime) -> RunnerView:
    return StoreView(store, tmp_path / "games", now, lambda: None)


def test_an_empty_store(store: Store, tmp_path: Path, now: datetime) -> None:
    view = a_view(store, tmp_path, now)
    assert (view.games_counted(), view.last_measured_success(), view.recent_runs()) == (0, None, [])
    assert (view.ended_after(None).all_ended_up_to, view.overdue(now), view.resources()) == (0, [], None)


def test_runs_as_they_end(store: Store, tmp_path: Path, now: datetime) -> None:
    first, second, third = (begun(store, f"s{number}", now) for number in range(3))
    ended(store, first, now, ExecutionStatus.SUCCEEDED, best_win_rate=0.6, best_win_rate_games=400)
    ended(store, third, now, ExecutionStatus.SUCCEEDED)
    view = a_view(store, tmp_path, now)
    assert [run.execution_id for run in view.recent_runs()] == [third, first]
    some = view.ended_after(0)
    assert ([run.execution_id for run in some.runs], some.all_ended_up_to) == ([first, third], second - 1)
    assert [run.execution_id for run in view.ended_after(None).runs] == [third]
    measured = view.last_measured_success()
    assert measured is not None
    assert (measured.execution_id, measured.best_win_rate) == (first, 0.6), "no number without the games behind it"
    ended(store, second, now, ExecutionStatus.FAILED)
    assert view.ended_after(None).all_ended_up_to == third
    assert [run.outcome.value for run in view.ended_after(first).runs] == ["failed", "succeeded"]


def test_what_is_overdue(store: Store, tmp_path: Path, now: datetime) -> None:
    with store.write() as session:
        for name, hours in (("early", 3), ("late", 1)):
            schedule = TrainingSchedule(name=name, cron_expression="@daily")
            queue.record(session, NewOccurrence(schedule, now - timedelta(hours=hours)), now, 1000)
        unseen = TrainingSchedule(name="unseen", cron_expression="@hourly")
        schedules.save(session, unseen, now - timedelta(hours=2), now)
        paused = TrainingSchedule(name="paused", cron_expression="@hourly")
        schedules.save(session, paused, now - timedelta(hours=2), now)
        schedules.pause(session, "paused", "", now)
    view = a_view(store, tmp_path, now)
    found = [(run.schedule_name, run.scheduled_for) for run in view.overdue(now - timedelta(minutes=90))]
    assert found == [("early", now - timedelta(hours=3)), ("unseen", now - timedelta(hours=2))]


def test_games_are_counted_when_asked(store: Store, tmp_path: Path, now: datetime, game: Callable[..., str]) -> None:
    view = a_view(store, tmp_path, now)
    (tmp_path / "games").mkdir()
    (tmp_path / "games" / "a.jsonl").write_text(game("1") + game("2"))
    assert view.games_counted() == 2


def test_a_run_whose_row_cannot_be_read_hides_no_other(store: Store, tmp_path: Path, now: datetime) -> None:
    numbers = [begun(store, "nightly", now) for _ in range(3)]
    for number in numbers:
        ended(store, number, now, ExecutionStatus.SUCCEEDED, best_win_rate=0.5, best_win_rate_games=100)
    with store.write() as session:
        session.execute(text(f"UPDATE execution_rows SET pipeline_state_changes_json = '{{' WHERE id = {numbers[2]}"))
    view = a_view(store, tmp_path, now)
    measured = view.last_measured_success()
    assert measured is not None
    assert measured.execution_id == numbers[1]
    assert [run.execution_id for run in view.recent_runs()] == numbers[::-1]
    assert [run.execution_id for run in view.ended_after(numbers[0]).runs] == numbers[1:]
