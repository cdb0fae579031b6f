"""What a wall clock that was set means for the rows: waits and deadlines are durations and move with it, and what was
written down for times that have not come does not stand in the way of those times."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from runner.store.statements import rows_changed
from runner.store.states import OccurrenceState, OutboxState
from runner.store.tables import (
    ClockChangeRow,
    DaemonRow,
    ExecutionRow,
    OccurrenceRow,
    OutboxRow,
    ScheduleRow,
    TriggerRow,
)
from schemas.automation import TriggerType

KEPT = 1000
LOOKED_AT = 50_000
_NEVER_RAN = (OccurrenceState.COALESCED, OccurrenceState.MISSED, OccurrenceState.SKIPPED)


@dataclass(frozen=True, slots=True)
class ClockChangeRecord:
    """One change, in words."""

    at: datetime
    step_s: float
    slept_s: float
    detail: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What becomes of the occurrences of times that have not come."""

    removed: int
    """Coalesced, missed or skipped: they never ran, and fall due anew in their time."""
    kept: int
    """Run, or about to: they do not fire a second time."""


def record(session: Session, at: datetime, step_s: float, slept_s: float, detail: str) -> None:
    """Write a change down; the newest thousand are kept."""
    row = ClockChangeRow(at=at, step_s=step_s, slept_s=slept_s, detail=detail)
    session.add(row)
    session.flush()
    session.execute(delete(ClockChangeRow).where(ClockChangeRow.id <= row.id - KEPT))


def lately(session: Session, now: datetime, within: timedelta = timedelta(days=1), limit: int = 3) -> list[str]:
    """The latest changes in words, newest first; those that a wrong clock dated ahead are among them."""
    rows = session.scalars(
        select(ClockChangeRow).where(ClockChangeRow.at > now - within).order_by(ClockChangeRow.id.desc()).limit(limit)
    )
    return [row.detail for row in rows]


def recent(session: Session, limit: int) -> list[ClockChangeRecord]:
    """The latest changes, newest first."""
    rows = session.scalars(select(ClockChangeRow).order_by(ClockChangeRow.id.desc()).limit(limit))
    return [ClockChangeRecord(row.at, row.step_s, row.slept_s, row.detail) for row in rows]


def newest_instant(session: Session) -> datetime | None:
    """The latest instant at which a daemon or command of before says that it was there; it lies in the future where
    the clock was ahead then."""
    found = (
        session.scalar(select(func.max(DaemonRow.heartbeat_at))),
        session.scalar(select(func.max(ScheduleRow.watermark)).where(ScheduleRow.removed_at.is_(None))),
    )
    return max((instant for instant in found if instant is not None), default=None)


def shift_waits(session: Session, by: timedelta, only_recorded_after: datetime | None = None) -> int:
    """Move by so much what waits for an instant: runs (not before, start deadline), messages, cooldowns; and the
    beginning of what goes on, so that its duration stays right. How many runs wait.

    Args:
        only_recorded_after: leave alone what was written down earlier: the clock was right then.
    """
    queued = select(OccurrenceRow).where(OccurrenceRow.state == OccurrenceState.QUEUED)
    pending = select(OutboxRow).where(OutboxRow.state.in_((OutboxState.PENDING, OutboxState.DIGEST)))
    unfinished = select(ExecutionRow).where(ExecutionRow.completed_at.is_(None))
    if only_recorded_after is not None:
        queued = queued.where(OccurrenceRow.created_at > only_recorded_after)
        pending = pending.where(OutboxRow.created_at > only_recorded_after)
        unfinished = unfinished.where(ExecutionRow.started_at > only_recorded_after)
    runs = session.scalars(queued).all()
    for run in runs:
        run.not_before, run.start_deadline = run.not_before + by, run.start_deadline + by
    for message in session.scalars(pending):
        message.not_before, message.created_at = message.not_before + by, message.created_at + by
    for execution in session.scalars(unfinished):
        execution.started_at += by
    session.flush()
    return len(runs)


def bring_back(session: Session, now: datetime, by: timedelta) -> None:
    """Cooldowns and the mail's hourly limit do not wait for an instant that a clock ahead wrote down."""
    for trigger in session.scalars(select(TriggerRow).where(TriggerRow.last_triggered > now)):
        assert trigger.last_triggered is not None
        trigger.last_triggered = min(now, trigger.last_triggered + by)
    sent = update(OutboxRow).where(OutboxRow.sent_at > now).values(sent_at=now)
    session.execute(sent.execution_options(synchronize_session=False))
    session.flush()


def withdraw(session: Session, now: datetime, note: str) -> Withdrawn:
    """Take back what was written down of times after `now`: cron times that never ran go, so that they can fall due;
    of those that ran or are queued the row stays, with the note, and keeps them from firing twice."""
    ahead = (OccurrenceRow.scheduled_for > now, OccurrenceRow.trigger_type == TriggerType.SCHEDULED)
    gone = delete(OccurrenceRow).where(*ahead, OccurrenceRow.state.in_(_NEVER_RAN))
    removed = rows_changed(session.execute(gone.execution_options(synchronize_session=False)))
    kept = session.scalars(select(OccurrenceRow).where(*ahead)).all()
    for row in kept:
        if note not in row.reason:
            row.reason = f"{row.reason}; {note}" if row.reason else note
    session.flush()
    return Withdrawn(removed, len(kept))


def recorded_ahead(session: Session, now: datetime) -> set[tuple[str, datetime]]:
    """Cron times after `now` that have their row already, with their schedules: they do not fire again.

    Asked of the newest rows only, and only where the clock was ever seen ahead: no index leads to all of them.
    """
    if session.scalar(select(ClockChangeRow.id).where(ClockChangeRow.step_s < 0).limit(1)) is None:
        return set()
    newest = select(OccurrenceRow.id).order_by(OccurrenceRow.id.desc()).limit(LOOKED_AT).scalar_subquery()
    rows = session.execute(
        select(OccurrenceRow.schedule_name, OccurrenceRow.scheduled_for).where(
            OccurrenceRow.id.in_(newest), OccurrenceRow.scheduled_for > now
        )
    )
    return {(name, instant) for name, instant in rows}
