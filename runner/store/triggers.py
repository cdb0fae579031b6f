"""Triggers: saved, due for a look, how far each has looked, fired, paused, removed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

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
    next_check: datetime
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


def save(session: Session, condition: TriggerCondition, now: datetime, cursor_json: str | None = None) -> None:
    """Insert a trigger, or change the one of this name; it is looked at next at `now`.

    Counters, the last firing and the cursor are kept; `cursor_json` sets the cursor, so that a new trigger does not
    fire for what was there before it.
    """
    row = session.get(TriggerRow, condition.name)
    if row is None:
        row = TriggerRow(name=condition.name, created_at=now, last_triggered=condition.last_triggered)
        session.add(row)
    row.definition, row.enabled = condition, condition.enabled
    row.next_check, row.updated_at, row.removed_at = now, now, None
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
    """One trigger by its name; a removed one is none."""
    row = _row(session, name)
    return None if row is None else _to_record(row)


def list_active(session: Session) -> list[TriggerRecord]:
    """All that are not removed (disabled and paused ones too), by name."""
    rows = session.scalars(select(TriggerRow).where(TriggerRow.removed_at.is_(None)).order_by(TriggerRow.name))
    return [_to_record(row) for row in rows]


def ever_saved(session: Session) -> bool:
    """True once any trigger was saved here, be it removed since."""
    return session.scalar(select(TriggerRow.name).limit(1)) is not None


def due(session: Session, now: datetime) -> list[TriggerRecord]:
    """Enabled, unpaused triggers whose next look has come, the most overdue first."""
    rows = session.scalars(
        select(TriggerRow)
        .where(
            TriggerRow.removed_at.is_(None),
            TriggerRow.enabled.is_(True),
            TriggerRow.paused_note.is_(None),
            TriggerRow.next_check <= now,
        )
        .order_by(TriggerRow.next_check, TriggerRow.name)
    )
    return [_to_record(row) for row in rows]


def checked(
    session: Session,
    name: str,
    verdict: str,
    now: datetime,
    *,
    cursor_json: str | None = None,
    fired: bool = False,
) -> None:
    """Keep what a look found, and set the next one after the trigger's interval.

    Args:
        cursor_json: the new cursor; None keeps the old one.
        fired: the trigger fired; call it in the transaction that records the occurrence, or the same games could
            fire twice, or be lost.
    """
    row = session.get(TriggerRow, name)
    if row is None:
        return
    row.last_checked, row.last_verdict = now, verdict
    row.next_check = now + timedelta(seconds=row.definition.check_interval_s)
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
        raise ScheduleError("no such trigger", where=name, remedy="`ouroboros schedules` lists them.")
    row.paused_note, row.updated_at = note, now
    session.flush()


def _row(session: Session, name: str) -> TriggerRow | None:
    row = session.get(TriggerRow, name)
    return None if row is None or row.removed_at is not None else row


def _to_record(row: TriggerRow) -> TriggerRecord:
    return TriggerRecord(
        name=row.name,
        condition=row.definition.model_copy(update={"last_triggered": row.last_triggered}),
        enabled=row.enabled,
        paused_note=row.paused_note,
        next_check=row.next_check,
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
