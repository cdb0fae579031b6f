"""An occurrence as callers see it: what they hand in, and what they read back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from runner.store.columns import UnreadableColumn
from runner.store.states import OccurrenceState
from runner.store.tables import DefinitionRow, OccurrenceRow
from schemas.automation import TrainingSchedule, TriggerType
from schemas.execution import QueuedRun
from schemas.settings import describe

_EMERGENCY_LIFT = 1_000_000


@dataclass(frozen=True, slots=True)
class NewOccurrence:
    """One due occurrence, from whatever source, to be recorded."""

    schedule: TrainingSchedule
    scheduled_for: datetime
    trigger_type: TriggerType = TriggerType.SCHEDULED
    trigger_name: str | None = None
    state: OccurrenceState = OccurrenceState.QUEUED
    """QUEUED, or at once MISSED, COALESCED or SKIPPED, with the reason."""
    reason: str = ""
    coalesced_into: int | None = None
    """The id of the occurrence that stands for this one, where it is known,"""
    coalesced_with: datetime | None = None
    """or that one's scheduled time: it may be recorded in the same call."""
    priority: int | None = None
    """None: the schedule's."""
    not_before: datetime | None = None
    """None: `scheduled_for`. Jitter goes here."""
    start_deadline: datetime | None = None
    """None: `scheduled_for` and the schedule's `start_deadline_hours`."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class OccurrenceRecord:
    """An occurrence as it stands in the history."""

    occurrence_id: int
    schedule_name: str
    trigger_type: TriggerType
    trigger_name: str | None
    scheduled_for: datetime
    state: OccurrenceState
    reason: str
    coalesced_into: int | None
    priority: int
    not_before: datetime
    start_deadline: datetime
    attempt: int
    note: str
    created_at: datetime
    finished_at: datetime | None


DATED_AHEAD = 100
"""At most so many rows of one schedule are expected to be dated ahead by a clock that was wrong."""


def start_deadline(schedule: TrainingSchedule, since: datetime) -> datetime:
    """Until when a run may still start that could have started at `since`."""
    return since + timedelta(hours=schedule.start_deadline_hours)


def to_columns(new: NewOccurrence, definition_id: int | None, now: datetime) -> dict[str, Any]:
    """The row to insert; `definition_id`: of its schedule's definition, for one that is to run."""
    queued = new.state is OccurrenceState.QUEUED
    priority = new.schedule.priority if new.priority is None else new.priority
    return {
        "schedule_name": new.schedule.name,
        "trigger_type": new.trigger_type,
        "trigger_name": new.trigger_name,
        "scheduled_for": new.scheduled_for,
        "state": new.state,
        "reason": new.reason,
        "coalesced_into": new.coalesced_into,
        "priority": priority,
        "queue_rank": -priority - (_EMERGENCY_LIFT if new.trigger_type is TriggerType.EMERGENCY else 0),
        "not_before": new.not_before or new.scheduled_for,
        "start_deadline": new.start_deadline or start_deadline(new.schedule, new.scheduled_for),
        "attempt": 1,
        "definition_id": definition_id if queued else None,
        "note": new.note,
        "created_at": now,
        "finished_at": None if queued else now,
    }


def to_queued_run(row: OccurrenceRow) -> QueuedRun | UnreadableColumn:
    """The model that goes to the guards; or what is wrong with a row that somebody damaged, or set waiting by hand."""
    if row.definition is None:
        return UnreadableColumn("it was never to run: its row has no definition")
    if isinstance(row.definition, UnreadableColumn):
        return row.definition
    try:
        return _to_run(row, row.definition)
    except ValidationError as error:
        return UnreadableColumn(f"its row in the database cannot be read: {describe(error)}")


def _to_run(row: OccurrenceRow, schedule: TrainingSchedule) -> QueuedRun:
    return QueuedRun(
        occurrence_id=row.id,
        schedule_name=row.schedule_name,
        trigger_type=row.trigger_type,
        trigger_name=row.trigger_name,
        scheduled_for=row.scheduled_for,
        not_before=row.not_before,
        start_deadline=row.start_deadline,
        priority=row.priority,
        attempt=row.attempt,
        schedule=schedule,
        reason=row.reason,
    )


def get(session: Session, occurrence_id: int) -> OccurrenceRecord | None:
    """One occurrence by its id."""
    row = session.get(OccurrenceRow, occurrence_id)
    return None if row is None else _to_record(row)


def definition(session: Session, occurrence_id: int) -> TrainingSchedule | None:
    """The schedule as it was when the occurrence was recorded; None for what was never to run, is unknown, or cannot
    be read."""
    found = session.scalar(
        select(DefinitionRow.definition)
        .join(OccurrenceRow, OccurrenceRow.definition_id == DefinitionRow.id)
        .where(OccurrenceRow.id == occurrence_id)
    )
    return None if isinstance(found, UnreadableColumn) else found


def recent(session: Session, schedule_name: str, limit: int) -> list[OccurrenceRecord]:
    """The latest occurrences of a schedule (or of a trigger without one), newest first."""
    return _latest(session, OccurrenceRow.schedule_name == schedule_name, limit)


def recent_of_trigger(session: Session, trigger_name: str, limit: int) -> list[OccurrenceRecord]:
    """The latest occurrences that a trigger brought about, whichever schedule's run it was, newest first. It reads
    all that triggers ever brought about: for a person who asks, not for the loop."""
    return _latest(session, OccurrenceRow.trigger_name == trigger_name, limit)


def _latest(session: Session, which: ColumnElement[bool], limit: int) -> list[OccurrenceRecord]:
    """In the order in which they were recorded: a clock that was ahead leaves some due times in the future. The index
    is by due time, so a few more are read and put in order."""
    by_due_time = select(OccurrenceRow).where(which).order_by(OccurrenceRow.scheduled_for.desc())
    rows: Iterable[OccurrenceRow] = session.scalars(by_due_time.limit(limit + DATED_AHEAD))
    return [_to_record(row) for row in sorted(rows, key=lambda row: row.id, reverse=True)[:limit]]


def _to_record(row: OccurrenceRow) -> OccurrenceRecord:
    return OccurrenceRecord(
        occurrence_id=row.id,
        schedule_name=row.schedule_name,
        trigger_type=row.trigger_type,
        trigger_name=row.trigger_name,
        scheduled_for=row.scheduled_for,
        state=row.state,
        reason=row.reason,
        coalesced_into=row.coalesced_into,
        priority=row.priority,
        not_before=row.not_before,
        start_deadline=row.start_deadline,
        attempt=row.attempt,
        note=row.note,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
