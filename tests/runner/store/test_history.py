"""The history: ended once, counted once, and readable at any moment."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from runner.store import games, history, queue, schedules, triggers
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.states import ExecutionStatus
from schemas.automation import TrainingSchedule, TriggerCondition, TriggerType
from schemas.execution import (
    ExecutionResult,
    FailureClass,
    Outcome,
    ProcessIdentity,
    ResourceUsage,
    RunFailure,
)
from schemas.model import PipelineState, PipelineStatus

NIGHTLY = TrainingSchedule(name="nightly", cron_expression="0 2 * * *")
IDENTITY = ProcessIdentity(boot_id="b", pid=12, start_ticks=34)
MEASURED = PipelineState(best_win_rate=0.61, best_win_rate_low=0.58, best_win_rate_high=0.64, best_win_rate_games=1000)


def start(session: Session, now: datetime, worker: str = "tuner", trigger_name: str | None = None) -> int:
    new = NewOccurrence(NIGHTLY, queue.free_instant(session, NIGHTLY.name, now), trigger_name=trigger_name)
    occurrence_id = queue.record(session, new, now, 100).occurrence_id
    execution_id = queue.begin(
        session,
        occurrence_id,
        now,
        worker=worker,
        worker_reason="",
        seed=1,
        run_dir=lambda number: Path(f"/r/{number}"),
    )
    assert execution_id is not None
    return execution_id


def result_of(
    session: Session, execution_id: int, took: timedelta, outcome: Outcome = Outcome.SUCCEEDED, **fields: object
) -> ExecutionResult:
    known = history.get(session, execution_id)
    assert known is not None
    values: dict[str, object] = {
        "execution_id": execution_id,
        "schedule_name": known.schedule_name,
        "trigger_type": known.trigger_type,
        "scheduled_for": known.scheduled_for,
        "started_at": known.started_at,
        "completed_at": known.started_at + took,
        "attempt": known.attempt,
        "worker": known.worker,
        "outcome": outcome,
        "success": outcome is Outcome.SUCCEEDED,
        "state": PipelineState(),
        "run_dir": known.run_dir,
    }
    return ExecutionResult.model_validate(values | fields)


def test_a_run_from_start_to_result(store: Store, now: datetime) -> None:
    usage = ResourceUsage(samples=3, peak_memory_mb=812.5)
    with store.write() as session:
        execution_id = start(session, now)
        assert history.mark_running(session, execution_id, IDENTITY)
        assert not history.mark_running(session, execution_id, IDENTITY)
        assert history.progress(session, execution_id, MEASURED, now + timedelta(minutes=1))
        running = history.get(session, execution_id)
        assert running is not None
        assert (running.status, running.identity, running.state) == (ExecutionStatus.RUNNING, IDENTITY, MEASURED)
        assert (running.completed_at, running.success, running.usage) == (None, None, None)
        result = result_of(session, execution_id, timedelta(hours=2), state=MEASURED, usage=usage)
        assert history.finish(session, result)
    with store.read() as session:
        [done] = history.recent(session, 5)
        assert (done.status, done.success, done.usage) == (ExecutionStatus.SUCCEEDED, True, usage)
        assert done.completed_at == now + timedelta(hours=2)
        assert history.unfinished(session) == []


def test_settling_twice_counts_once(store: Store, now: datetime) -> None:
    with store.write() as session:
        schedules.save(session, NIGHTLY, now, now)
        condition = TriggerCondition(name="data", trigger_type=TriggerType.DATA_DRIVEN, condition_function="f")
        triggers.save(session, condition, now)
        execution_id = start(session, now, trigger_name="data")
        failure = RunFailure(failure_class=FailureClass.CRASH, message="died of signal 9")
        lost = result_of(session, execution_id, timedelta(hours=1), Outcome.LOST, failure=failure)
        assert history.finish(session, lost)
    with store.write() as session:
        assert not history.finish(session, lost)
        assert not history.progress(session, execution_id, MEASURED, now)
        won = result_of(session, execution_id, timedelta(hours=9))
        assert not history.finish(session, won)
        record = history.get(session, execution_id)
        assert record is not None
        assert (record.status, record.failure_class) == (ExecutionStatus.LOST, FailureClass.CRASH)
        assert record.error_message == "died of signal 9"
        for counted in (schedules.get(session, "nightly"), triggers.get(session, "data")):
            assert counted is not None
            assert (counted.run_count, counted.success_count, counted.failure_count) == (1, 0, 1)


def test_statistics_count_all_and_survive_a_clock_set_back(store: Store, now: datetime) -> None:
    with store.write() as session:
        empty = history.statistics(session)
        assert (empty.total_executions, empty.failure_rate, empty.last_execution) == (0, 0, None)
        for took, outcome in [
            (timedelta(hours=2), Outcome.SUCCEEDED),
            (timedelta(hours=4), Outcome.FAILED),
            (timedelta(hours=-8), Outcome.SUCCEEDED),
            (timedelta(hours=6), Outcome.CANCELLED),
        ]:
            assert history.finish(session, result_of(session, start(session, now), took, outcome))
        start(session, now + timedelta(days=1))
        figures = history.statistics(session)
        assert figures.total_executions == 5
        assert figures.successful_executions == 2
        assert figures.failed_executions == 1
        assert figures.failure_rate == pytest.approx(0.25)
        assert figures.average_execution_time_hours == pytest.approx(3)
        assert figures.last_execution == now + timedelta(days=1)


def test_a_new_run_shows_the_best_rate_of_the_same_worker(store: Store, now: datetime) -> None:
    with store.write() as session:
        first = start(session, now)
        history.progress(session, first, MEASURED, now)
        other, same = start(session, now, worker="pipeline"), start(session, now)
        records = [history.get(session, number) for number in (other, same)]
        rates = [(record.state.best_win_rate, record.state.best_win_rate_games) for record in records if record]
        assert rates == [(0.0, 0), (0.61, 1000)]
        assert records[1] is not None
        assert records[1].state.status is PipelineStatus.INITIALIZING
        history.finish(session, result_of(session, same, timedelta(hours=1), Outcome.LOST))
        after = history.get(session, same)
        assert after is not None
        assert after.state.best_win_rate_low == 0.58


def test_new_games_are_counted_from_the_last_success(store: Store, now: datetime) -> None:
    path = Path("/games/a.jsonl")
    with store.write() as session:
        games.advance(session, path, 1, 1000, 10, now)
        assert history.new_games_since_success(session, "nightly") is None
        won = start(session, now)
        games.advance(session, path, 1, 2000, 25, now)
        history.finish(session, result_of(session, won, timedelta(hours=1)))
        failed = start(session, now + timedelta(hours=2))
        games.advance(session, path, 2, 10, 1, now)
        history.finish(session, result_of(session, failed, timedelta(hours=1), Outcome.FAILED))
        assert games.total(session) == 36
        assert history.new_games_since_success(session, "nightly") == 26


def test_the_plot_shows_measured_points_in_time_order(store: Store, now: datetime) -> None:
    with store.write() as session:
        for hours, state in enumerate([PipelineState(), MEASURED, MEASURED.model_copy(update={"best_win_rate": 0.7})]):
            execution_id = start(session, now + timedelta(hours=hours))
            history.finish(session, result_of(session, execution_id, timedelta(minutes=5), state=state))
        start(session, now + timedelta(hours=9))
        assert [point.win_rate for point in history.win_rates(session, "nightly", 10)] == [0.61, 0.7]
        assert [point.win_rate for point in history.win_rates(session, "nightly", 1)] == [0.7]


@pytest.mark.parametrize("damage", ["pipeline_state_changes_json = '{'", "identity_json = '[]'"])
def test_a_run_whose_row_was_damaged_comes_to_its_end_and_keeps_no_other_from_starting(
    store: Store, now: datetime, damage: str
) -> None:
    with store.write() as session:
        won = start(session, now)
        history.finish(session, result_of(session, won, timedelta(hours=1), state=MEASURED))
        bad = start(session, now)
    with store.write() as session:
        session.execute(text(f"UPDATE execution_rows SET {damage} WHERE id IN ({won}, {bad})"))
    with store.write() as session:
        after = start(session, now)
        assert history.new_games_since_success(session, "nightly") == 0
        assert history.progress(session, bad, MEASURED, now)
        assert history.finish(session, result_of(session, bad, timedelta(hours=1), Outcome.FAILED))
        found = {record.execution_id: record.status for record in history.recent(session, 10)}
    assert found == {won: ExecutionStatus.SUCCEEDED, bad: ExecutionStatus.FAILED, after: ExecutionStatus.STARTING}
