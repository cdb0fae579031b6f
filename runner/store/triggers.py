"""Triggers: saved, how far each has looked, fired, paused, stopped, removed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from runner.store.columns import UnreadableColumn
from runner.store.schedules import STOPPED
from runner.store.tables import TriggerRow
from schemas.automation import TriggerCondition
from schemas.errors import ScheduleError


@dataclass(frozen=True, slots=True)
class TriggerRecord:
    """A trigger as it stands."""

    name: str
    condition: TriggerCondition
    """Its `last_triggered` is the stored one."""
    enabled: bool
    paused_note: str | None
    last_checked: datetime | None
    last_triggered: datetime | None
    last_verdict: str
    """What the last look found, in words; or why it could not look."""
    cursor_json: str
    """How far the condition has looked, in its own JSON: the same games never fire it twice."""
    run_count: int
    success_count: int
    failure_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class UnreadableTrigger:
    """A trigger whose definition in the database cannot be read."""

    name: str
    enabled: bool
    problem: str


def save(session: Session, condition: TriggerCondition, now: datetime, cursor_json: str | None = None) -> None:
    """Insert a trigger, or change the one of this name.

    Counters, the last firing and the cursor are kept; `cursor_json` sets the cursor, so that a new trigger does not
    fire for what was there before it.
    """
    row = session.get(TriggerRow, condition.name)
    if row is None:
        row = TriggerRow(name=condition.name, created_at=now, last_triggered=condition.last_triggered)
        session.add(row)
    if row.paused_note is not None and row.paused_note.startswith(STOPPED):
        row.paused_note = None
    row.definition, row.enabled = condition, condition.enabled
    row.updated_at, row.removed_at = now, None
    if cursor_json is not None:
        row.cursor_json = cursor_json
    session.flush()


def remove(session: Session, name: str, now: datetime) -> bool:
    """Take a trigger out of service; its history and counters stay. False if there is none."""
    row = _row(session, name)
    if row is None:
        return False
    row.removed_at, row.updated_at = now, now
    session.flush()
    return True


def get(session: Session, name: str) -> TriggerRecord | None:
    """One trigger by its name; a removed one is none.

    Raises:
        ScheduleError: its definition cannot be read.
    """
    row = _row(session, name)
    if row is None:
        return None
    if isinstance(row.definition, UnreadableColumn):
        raise ScheduleError(row.definition.problem, where=f"trigger {name}", remedy="Save the trigger anew.")
    return _to_record(row, row.definition)


def list_active(session: Session) -> list[TriggerRecord]:
    """All that are not removed (disabled and paused ones too), by name, without the unreadable ones."""
    return look_up(session)[0]


def look_up(session: Session) -> tuple[list[TriggerRecord], list[UnreadableTrigger]]:
    """All that are not removed, by name, and apart from them those whose definition cannot be read."""
    rows = session.scalars(select(TriggerRow).where(TriggerRow.removed_at.is_(None)).order_by(TriggerRow.name))
    known, bad = [], []
    for row in rows:
        if isinstance(row.definition, UnreadableColumn):
            bad.append(UnreadableTrigger(row.name, row.enabled, row.definition.problem))
        else:
            known.append(_to_record(row, row.definition))
    return known, bad


def stop(session: Session, name: str, problem: str, now: datetime) -> None:
    """Disable a trigger that cannot be used, with the problem as its note; saving it anew ends that."""
    session.execute(
        update(TriggerRow)
        .where(TriggerRow.name == name)
        .values(enabled=False, paused_note=STOPPED + problem, updated_at=now)
        .execution_options(synchronize_session=False)
    )


def ever_saved(session: Session) -> bool:
    """True once any trigger was saved here, be it removed since."""
    return session.scalar(select(TriggerRow.name).limit(1)) is not None


def checked(
    session: Session,
    name: str,
    verdict: str,
    now: datetime,
    *,
    cursor_json: str | None = None,
    fired: bool = False,
) -> None:
    """Keep what a look found.

    Args:
        cursor_json: the new cursor; None keeps the old one.
        fired: the trigger fired; call it in the transaction that records the occurrence, or the same games could
            fire twice, or be lost.
    """
    row = session.get(TriggerRow, name)
    if row is None:
        return
    row.last_checked, row.last_verdict = now, verdict
    if cursor_json is not None:
        row.cursor_json = cursor_json
    if fired:
        row.last_triggered = now
    session.flush()


def pause(session: Session, name: str, note: str, now: datetime) -> None:
    """Until `unpause` the trigger is not looked at.

    Raises:
        ScheduleError: no such trigger.
    """
    _set_pause(session, name, note, now)


def unpause(session: Session, name: str, now: datetime) -> None:
    """End a pause.

    Raises:
        ScheduleError: no such trigger.
    """
    _set_pause(session, name, None, now)


def _set_pause(session: Session, name: str, note: str | None, now: datetime) -> None:
    row = _row(session, name)
    if row is None:
        raise ScheduleError("no such trigger", where=name, remedy="`ouroboros triggers` lists them.")
    row.paused_note, row.updated_at = note, now
    session.flush()


def _row(session: Session, name: str) -> TriggerRow | None:
    row = session.get(TriggerRow, name)
    return None if row is None or row.removed_at is not None else row


def _to_record(row: TriggerRow, condition: TriggerCondition) -> TriggerRecord:
    return TriggerRecord(
        name=row.name,
        condition=condition.model_copy(update={"last_triggered": row.last_triggered}),
        enabled=row.enabled,
        paused_note=row.paused_note,
        last_checked=row.last_checked,
        last_triggered=row.last_triggered,
        last_verdict=row.last_verdict,
        cursor_json=row.cursor_json,
        run_count=row.run_count,
        success_count=row.success_count,
        failure_count=row.failure_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
