"""The runner as conditions see it, out of the store."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from runner.store import history, ladder
from runner.store.columns import constant
from runner.store.engine import Store
from runner.store.history import ExecutionRecord
from runner.store.states import ExecutionStatus, OccurrenceState
from runner.store.tables import ExecutionRow, OccurrenceRow, ScheduleRow
from runner.triggers.context import EndedRuns, FinishedRun, OverdueRun
from runner.triggers.games_folder import count_new_games
from schemas.execution import Outcome
from schemas.ladder import LadderRating, LadderRegistration, LadderResult
from schemas.machine import ResourceSnapshot

_PAGE = 1000
_RECENT = 50
_OVERDUE = 100
# Constants in the statements: SQLite chooses partial indexes by them, not by parameters.
_SUCCEEDED = ExecutionRow.status == constant(ExecutionStatus.SUCCEEDED)
_QUEUED = OccurrenceRow.state == constant(OccurrenceState.QUEUED)
_UNDER_WAY = ExecutionRow.completed_at.is_(None)


class StoreView:
    """A `RunnerView`; each question is one short transaction, asked only when a condition asks it.

    Args:
        store: the runner's database.
        games_dir: where finished games arrive.
        now: the moment of the look.
        machine: the machine as last measured.
    """

    def __init__(
        self, store: Store, games_dir: Path, now: datetime, machine: Callable[[], ResourceSnapshot | None]
    ) -> None:
        self._store, self._games_dir, self._now, self._machine = store, games_dir, now, machine

    def games_counted(self) -> int:
        return count_new_games(self._store, self._games_dir, self._now)

    def last_measured_success(self) -> FinishedRun | None:
        query = select(ExecutionRow.id).where(_SUCCEEDED).order_by(ExecutionRow.id.desc()).limit(_PAGE)
        with self._store.read() as session:
            for number in session.scalars(query).all():
                run = history.get(session, number)
                if run is not None and run.state.best_win_rate_games > 0:
                    return _finished(run)
        return None

    def recent_runs(self) -> list[FinishedRun]:
        query = select(ExecutionRow).where(~_UNDER_WAY).order_by(ExecutionRow.id.desc()).limit(_RECENT)
        with self._store.read() as session:
            return [_finished(run) for run in history.records(session, query)]

    def ended_after(self, execution_id: int | None) -> EndedRuns:
        with self._store.read() as session:
            all_ended_up_to = _all_ended_up_to(session)
            beyond = all_ended_up_to if execution_id is None else execution_id
            query = (
                select(ExecutionRow).where(ExecutionRow.id > beyond, ~_UNDER_WAY).order_by(ExecutionRow.id).limit(_PAGE)
            )
            runs = [_finished(run) for run in history.records(session, query)]
        if len(runs) == _PAGE:
            all_ended_up_to = min(all_ended_up_to, runs[-1].execution_id)
        return EndedRuns(runs=runs, all_ended_up_to=all_ended_up_to)

    def overdue(self, before: datetime) -> list[OverdueRun]:
        waiting = (
            select(OccurrenceRow.schedule_name, OccurrenceRow.scheduled_for)
            .where(_QUEUED, OccurrenceRow.scheduled_for <= before)
            .order_by(OccurrenceRow.scheduled_for)
            .limit(_OVERDUE)
        )
        unseen = (
            select(ScheduleRow.name, ScheduleRow.next_run)
            .where(
                ScheduleRow.enabled.is_(True),
                ScheduleRow.removed_at.is_(None),
                ScheduleRow.paused_note.is_(None),
                ScheduleRow.next_run <= before,
            )
            .order_by(ScheduleRow.next_run)
            .limit(_OVERDUE)
        )
        with self._store.read() as session:
            found = [*session.execute(waiting), *session.execute(unseen)]
        runs = [OverdueRun(schedule_name=name, scheduled_for=due) for name, due in found if due is not None]
        return sorted(runs, key=lambda run: run.scheduled_for)[:_OVERDUE]

    def ladder_registrations(self) -> list[LadderRegistration]:
        with self._store.read() as session:
            return ladder.registrations(session)

    def ladder_results_after(self, snake_id: str, number: int) -> list[LadderResult]:
        with self._store.read() as session:
            return ladder.results_after(session, snake_id, number, _PAGE)

    def ladder_ratings_since(self, since: datetime) -> list[LadderRating]:
        with self._store.read() as session:
            return ladder.ratings_since(session, since)

    def resources(self) -> ResourceSnapshot | None:
        return self._machine()


def _all_ended_up_to(session: Session) -> int:
    oldest = session.scalar(select(func.min(ExecutionRow.id)).where(_UNDER_WAY))
    if oldest is not None:
        return oldest - 1
    return session.scalar(select(func.max(ExecutionRow.id))) or 0


def _finished(run: ExecutionRecord) -> FinishedRun:
    return FinishedRun(
        execution_id=run.execution_id,
        schedule_name=run.schedule_name,
        outcome=Outcome(run.status.value),
        completed_at=run.completed_at or run.started_at,
        best_win_rate=run.state.best_win_rate,
        best_win_rate_games=run.state.best_win_rate_games,
        best_model_version=run.state.best_model_version,
    )
