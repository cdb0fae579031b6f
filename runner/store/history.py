"""The history: one row per attempt at a run, from the intent to its result."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session, defer

from runner.store import games
from runner.store.columns import constant
from runner.store.statements import rows_changed
from runner.store.states import ExecutionStatus
from runner.store.tables import ExecutionRow, OccurrenceRow, ScheduleRow, TotalsRow, TriggerRow
from schemas.automation import TriggerType
from schemas.execution import ExecutionResult, FailureClass, Outcome, ProcessIdentity, ResourceUsage
from schemas.message import WinRatePoint
from schemas.model import PipelineState, PipelineStatus
from schemas.outside_text import error_line

_log = logging.getLogger("ouroboros.history")
# A constant in the statement: SQLite chooses a partial index by constants, not by parameters.
_SUCCEEDED = ExecutionRow.status == constant(ExecutionStatus.SUCCEEDED)
_CARRIED = ("best_win_rate", "best_win_rate_low", "best_win_rate_high", "best_win_rate_games", "best_model_version")


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What was decided about a run before its row is written."""

    worker: str
    worker_reason: str
    seed: int
    run_dir: Callable[[int], Path]
    """From the execution's id."""


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """An execution as it stands; while it runs, `completed_at`, `success` and `usage` are None."""

    execution_id: int
    occurrence_id: int
    schedule_name: str
    trigger_type: TriggerType
    trigger_name: str | None
    scheduled_for: datetime
    started_at: datetime
    completed_at: datetime | None
    success: bool | None
    status: ExecutionStatus
    error_message: str | None
    failure_class: FailureClass | None
    state: PipelineState
    usage: ResourceUsage | None
    worker: str
    worker_reason: str
    attempt: int
    seed: int
    run_dir: Path
    identity: ProcessIdentity | None
    progress_at: datetime | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Over everything ever run; retention does not change it."""

    total_executions: int
    """Ended ones and those under way."""
    successful_executions: int
    failed_executions: int
    failure_rate: float
    """Failed share of the ended ones, 0..1; cancelled runs are no failures."""
    last_execution: datetime | None
    """When the latest one started."""
    average_execution_time_hours: float


def open_execution(session: Session, occurrence: OccurrenceRow, plan: RunPlan, now: datetime) -> int:
    """Write the row `starting` for a run that is about to be launched; called by `queue.begin` only.

    Its state carries the best win rate that the same worker last told, so that readers of the history find a number
    there from the first moment.
    """
    row = ExecutionRow(
        occurrence_id=occurrence.id,
        schedule_name=occurrence.schedule_name,
        trigger_type=occurrence.trigger_type,
        trigger_name=occurrence.trigger_name,
        scheduled_for=occurrence.scheduled_for,
        started_at=now,
        status=ExecutionStatus.STARTING,
        state=_carried_state(_last_state(session, plan.worker), PipelineState(status=PipelineStatus.INITIALIZING)),
        worker=plan.worker,
        worker_reason=plan.worker_reason,
        attempt=occurrence.attempt,
        seed=plan.seed,
        run_dir=Path(),
        games_before=games.total(session),
    )
    session.add(row)
    session.flush()
    row.run_dir = plan.run_dir(row.id)
    session.flush()
    session.execute(update(ScheduleRow).where(ScheduleRow.name == row.schedule_name).values(last_run=now))
    return row.id


def mark_running(session: Session, execution_id: int, identity: ProcessIdentity) -> bool:
    """The worker lives and is known; False if the execution is not `starting`."""
    statement = update(ExecutionRow).where(
        ExecutionRow.id == execution_id, ExecutionRow.status == ExecutionStatus.STARTING
    )
    return rows_changed(session.execute(statement.values(status=ExecutionStatus.RUNNING, identity=identity))) == 1


def progress(session: Session, execution_id: int, state: PipelineState, now: datetime) -> bool:
    """Keep what the worker last told; False if the execution has ended already."""
    row = _row(session, execution_id)
    if row is None or row.completed_at is not None:
        return False
    row.state, row.progress_at = _carried_state(row.state, state), now
    session.flush()
    return True


def finish(session: Session, result: ExecutionResult) -> bool:
    """Write the result, and count it for its schedule, its trigger and the totals.

    Returns:
        False if the execution had ended before: then nothing is changed, and the caller must not count, mail or
        retry it a second time.
    """
    row = _row(session, result.execution_id)
    if row is None or row.completed_at is not None:
        return False
    row.completed_at = result.completed_at
    row.success = result.success
    row.status = ExecutionStatus(result.outcome.value)
    row.error_message = result.error_message
    row.failure_class = result.failure.failure_class if result.failure else None
    row.state = _carried_state(row.state, result.state)
    row.usage = result.usage
    row.identity = None  # of a process that is no more
    session.flush()
    _count(session, row, result)
    return True


def get(session: Session, execution_id: int) -> ExecutionRecord | None:
    """One execution by its id."""
    found = records(session, select(ExecutionRow).where(ExecutionRow.id == execution_id))
    return found[0] if found else None


def recent(session: Session, limit: int, schedule_name: str | None = None) -> list[ExecutionRecord]:
    """The latest executions, newest first, in the order in which they began whatever the clock said; of one schedule,
    if it is named."""
    wanted = select(ExecutionRow)
    if schedule_name is not None:
        wanted = wanted.where(ExecutionRow.schedule_name == schedule_name)
    return records(session, wanted.order_by(ExecutionRow.id.desc()).limit(limit))


def unfinished(session: Session) -> list[ExecutionRecord]:
    """Executions `starting` or `running`, oldest first: what a recovering daemon must account for."""
    under_way = select(ExecutionRow).where(ExecutionRow.completed_at.is_(None))
    return records(session, under_way.order_by(ExecutionRow.started_at))


def of_occurrence(session: Session, occurrence_id: int) -> list[ExecutionRecord]:
    """All attempts at one occurrence, in order."""
    theirs = select(ExecutionRow).where(ExecutionRow.occurrence_id == occurrence_id)
    return records(session, theirs.order_by(ExecutionRow.id))


def new_games_since_success(session: Session, schedule_name: str) -> int | None:
    """Production games that arrived since the last successful run of this schedule began; None: no success yet."""
    before = session.scalar(_games_before_last_success(schedule_name))
    return None if before is None else games.total(session) - before


def win_rates(session: Session, schedule_name: str, limit: int) -> list[WinRatePoint]:
    """Measured win rates at the end of the latest runs of a schedule, oldest first: the plot of a message."""
    ended = select(ExecutionRow).where(
        ExecutionRow.schedule_name == schedule_name, ExecutionRow.completed_at.is_not(None)
    )
    rows = records(session, ended.order_by(ExecutionRow.id.desc()).limit(limit))
    points = [
        WinRatePoint(
            completed_at=row.completed_at,
            win_rate=row.state.best_win_rate,
            low=row.state.best_win_rate_low,
            high=row.state.best_win_rate_high,
            games=row.state.best_win_rate_games,
        )
        for row in rows
        if row.completed_at is not None and row.state.best_win_rate_games > 0
    ]
    return points[::-1]


def known_before(session: Session, execution_id: int, worker: str) -> PipelineState | None:
    """The state at the end of this worker's run before that one; None: there was none, or its row cannot be read."""
    return _last_state(session, worker, ExecutionRow.id < execution_id)


def statistics(session: Session) -> Statistics:
    """The figures of a status, from counters: no scan of the history."""
    totals = session.get_one(TotalsRow, 1)
    under_way = select(func.count()).select_from(ExecutionRow).where(ExecutionRow.completed_at.is_(None))
    settled = totals.settled or 1
    return Statistics(
        total_executions=totals.settled + (session.scalar(under_way) or 0),
        successful_executions=totals.succeeded,
        failed_executions=totals.failed,
        failure_rate=totals.failed / settled,
        last_execution=session.scalar(select(func.max(ExecutionRow.started_at))),
        average_execution_time_hours=totals.duration_s / settled / 3600,
    )


def _count(session: Session, row: ExecutionRow, result: ExecutionResult) -> None:
    succeeded = int(result.success)
    failed = int(not result.success and result.outcome is not Outcome.CANCELLED)
    # A wall clock may be set back while a run goes on; a negative duration would poison the mean for ever.
    duration_s = max(0.0, (result.completed_at - row.started_at).total_seconds())
    session.execute(
        update(TotalsRow).values(
            settled=TotalsRow.settled + 1,
            succeeded=TotalsRow.succeeded + succeeded,
            failed=TotalsRow.failed + failed,
            duration_s=TotalsRow.duration_s + duration_s,
        )
    )
    for table, name in ((ScheduleRow, row.schedule_name), (TriggerRow, row.trigger_name)):
        session.execute(
            update(table)
            .where(table.name == name)
            .values(
                run_count=table.run_count + 1,
                success_count=table.success_count + succeeded,
                failure_count=table.failure_count + failed,
            )
        )


def _games_before_last_success(schedule_name: str) -> Select[int]:
    return (
        select(ExecutionRow.games_before)
        .where(ExecutionRow.schedule_name == schedule_name, _SUCCEEDED)
        .order_by(ExecutionRow.id.desc())
        .limit(1)
    )


def _last_state(session: Session, worker: str, *further: ColumnElement[bool]) -> PipelineState | None:
    """None too where its row cannot be read: what was reached before is no reason to start nothing any more."""
    statement = select(ExecutionRow.state).where(ExecutionRow.worker == worker, *further)
    try:
        return session.scalar(statement.order_by(ExecutionRow.id.desc()).limit(1))
    except ValueError:
        return None


def _row(session: Session, execution_id: int) -> ExecutionRow | None:
    """The row to be written; what of it somebody damaged while it ran is replaced, so that the run can come to an end.

    Raises:
        ValueError: it cannot be read even so.
    """
    try:
        return session.get(ExecutionRow, execution_id)
    except ValueError as error:
        _log.error("Execution %s was damaged while it ran: %s", execution_id, error_line(error))
    anew = update(ExecutionRow).where(ExecutionRow.id == execution_id)
    anew = anew.values(state=PipelineState(), usage=None, identity=None)
    session.execute(anew.execution_options(synchronize_session=False))
    return session.get(ExecutionRow, execution_id)


def _carried_state(known: PipelineState | None, told: PipelineState) -> PipelineState:
    """`told`, with the known win rate where it has measured none of its own."""
    if known is None or told.best_win_rate_games > 0 or known.best_win_rate_games == 0:
        return told
    return told.model_copy(update={field: getattr(known, field) for field in _CARRIED})


def records(session: Session, statement: Select[ExecutionRow]) -> list[ExecutionRecord]:
    """The executions; a row that somebody damaged says so in place of its state, and hides no other."""
    try:
        return [_to_record(row, row.state, row.usage, row.identity) for row in session.scalars(statement)]
    except ValueError:
        ids = session.scalars(statement.with_only_columns(ExecutionRow.id)).all()
        return [record for number in ids if (record := _record_alone(session, number)) is not None]


def _record_alone(session: Session, execution_id: int) -> ExecutionRecord | None:
    try:
        row = session.get_one(ExecutionRow, execution_id)
        return _to_record(row, row.state, row.usage, row.identity)
    except ValueError as error:
        problem = f"this row cannot be read: {error_line(error)}"
    try:
        whole = [defer(ExecutionRow.state), defer(ExecutionRow.usage), defer(ExecutionRow.identity)]
        row = session.get_one(ExecutionRow, execution_id, options=whole)
        return _to_record(row, PipelineState(operation_details=problem, last_error=problem), None, None)
    except ValueError as error:
        _log.error("Execution %s cannot be read: %s", execution_id, error_line(error))
        return None


def _to_record(
    row: ExecutionRow, state: PipelineState, usage: ResourceUsage | None, identity: ProcessIdentity | None
) -> ExecutionRecord:
    return ExecutionRecord(
        execution_id=row.id,
        occurrence_id=row.occurrence_id,
        schedule_name=row.schedule_name,
        trigger_type=row.trigger_type,
        trigger_name=row.trigger_name,
        scheduled_for=row.scheduled_for,
        started_at=row.started_at,
        completed_at=row.completed_at,
        success=row.success,
        status=row.status,
        error_message=row.error_message,
        failure_class=row.failure_class,
        state=state,
        usage=usage,
        worker=row.worker,
        worker_reason=row.worker_reason,
        attempt=row.attempt,
        seed=row.seed,
        run_dir=row.run_dir,
        identity=identity,
        progress_at=row.progress_at,
    )
