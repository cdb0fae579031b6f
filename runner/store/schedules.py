"""Schedules: saved, listed, paused, removed. What is due of them: `due_schedules`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pydantic import ValidationError
from sqlalchemy import Text, func, select, type_coerce, update
from sqlalchemy.orm import Session

from runner.store import definitions
from runner.store.tables import ScheduleRow
from schemas.automation import TrainingSchedule
from schemas.errors import ScheduleError
from schemas.settings import describe

STOPPED = "stopped by the daemon: "
"""Begins the note of a schedule or trigger that `stop` took out of service; saving it anew ends that."""


@dataclass(frozen=True)
class ScheduleRecord:
    """A schedule as it stands."""

    name: str
    definition_json: str
    enabled: bool
    paused_note: str | None
    """None: not paused."""
    next_run: datetime | None
    watermark: datetime
    """Occurrences at or before it are accounted for."""
    last_run: datetime | None
    run_count: int
    """Ended executions, cancelled ones too."""
    success_count: int
    failure_count: int
    created_at: datetime
    updated_at: datetime

    @property
    def schedule(self) -> TrainingSchedule:
        """The definition.

        Raises:
            ScheduleError: it cannot be read; a list shows `readable` instead.
        """
        if self.readable is None:
            return parse_definition(self.name, self.definition_json)
        return self.readable

    @cached_property
    def readable(self) -> TrainingSchedule | None:
        """The definition, None if it cannot be read; parsed on first use: a list of 10,000 seldom needs them all."""
        try:
            return parse_definition(self.name, self.definition_json)
        except ScheduleError:
            return None


def save(session: Session, schedule: TrainingSchedule, next_run: datetime | None, now: datetime) -> None:
    """Insert a schedule, or change the one of this name (a removed one comes back).

    The watermark moves to `now`, so that nothing old fires under the new definition; counters, last run and a pause
    are kept. `next_run` is None for a disabled schedule.
    """
    definition_id = definitions.id_of(session, schedule)
    row = session.get(ScheduleRow, schedule.name)
    if row is None:
        row = ScheduleRow(name=schedule.name, created_at=now)
        session.add(row)
    if row.paused_note is not None and row.paused_note.startswith(STOPPED):
        row.paused_note = None
    row.definition, row.enabled = schedule, schedule.enabled
    row.definition_id = definition_id
    row.next_run, row.watermark = next_run, now
    row.updated_at, row.removed_at = now, None
    session.flush()


def remove(session: Session, name: str, now: datetime) -> bool:
    """Take a schedule out of service; its history and counters stay. False if there is none."""
    row = _row(session, name)
    if row is None:
        return False
    row.removed_at, row.updated_at, row.next_run = now, now, None
    session.flush()
    return True


def get(session: Session, name: str) -> ScheduleRecord | None:
    """One schedule by its name; a removed one is none."""
    found = session.execute(_RECORDS.where(_TABLE.c.name == name)).one_or_none()
    return None if found is None else ScheduleRecord(*found)


def list_active(session: Session) -> list[ScheduleRecord]:
    """All that are not removed (disabled and paused ones too), by name."""
    return [ScheduleRecord(*row) for row in session.execute(_RECORDS.order_by(_TABLE.c.name))]


def ever_saved(session: Session) -> bool:
    """True once any schedule was saved here, be it removed since."""
    return session.scalar(select(ScheduleRow.name).limit(1)) is not None


def upcoming(session: Session, now: datetime, limit: int) -> list[ScheduleRecord]:
    """Schedules that will fire, the soonest first: every one that is overdue (its next fire is still to be worked
    out), and `limit` of those that fall due after `now`. The next `limit` fires of all schedules are among theirs."""
    will_fire = (_TABLE.c.enabled.is_(True), _TABLE.c.paused_note.is_(None))
    in_order = _RECORDS.where(*will_fire).order_by(_TABLE.c.next_run, _TABLE.c.name)
    overdue = session.execute(in_order.where(_TABLE.c.next_run <= now)).all()
    coming = session.execute(in_order.where(_TABLE.c.next_run > now).limit(limit)).all()
    return [ScheduleRecord(*row) for row in (*overdue, *coming)]


def not_firing(session: Session, limit: int) -> list[ScheduleRecord]:
    """Schedules that will not fire as they stand: paused, disabled, or without a next fire; by name."""
    awake = _TABLE.c.enabled.is_(True) & _TABLE.c.paused_note.is_(None) & _TABLE.c.next_run.is_not(None)
    return [
        ScheduleRecord(*row) for row in session.execute(_RECORDS.where(~awake).order_by(_TABLE.c.name).limit(limit))
    ]


def count_active(session: Session) -> int:
    """How many are not removed."""
    statement = select(func.count()).select_from(ScheduleRow).where(ScheduleRow.removed_at.is_(None))
    return session.scalar(statement) or 0


def accounted_beyond(session: Session, now: datetime) -> list[tuple[str, TrainingSchedule]]:
    """Enabled schedules whose watermark lies after `now`, with their definitions: a clock that was ahead put it there.
    Those that cannot be read are left out."""
    rows = session.execute(_RECORDS.where(_TABLE.c.watermark > now, _TABLE.c.enabled.is_(True)).order_by(_TABLE.c.name))
    records = [ScheduleRecord(*row) for row in rows]
    return [(record.name, record.readable) for record in records if record.readable is not None]


def pause_notes(session: Session, names: Collection[str]) -> dict[str, str]:
    """The notes of those among these schedules that are paused."""
    rows = session.execute(
        select(ScheduleRow.name, ScheduleRow.paused_note).where(
            ScheduleRow.name.in_(names), ScheduleRow.paused_note.is_not(None), ScheduleRow.removed_at.is_(None)
        )
    )
    return {name: note or "" for name, note in rows}


def pause(session: Session, name: str, note: str, now: datetime) -> None:
    """Until `unpause`, what falls due is missed and what waits goes on waiting, and the note says why. Runs that a
    person or a file asked for are not held back.

    Raises:
        ScheduleError: no such schedule.
    """
    row = _known(session, name)
    row.paused_note, row.updated_at = note, now
    session.flush()


def unpause(session: Session, name: str, now: datetime) -> None:
    """End a pause.

    Raises:
        ScheduleError: no such schedule.
    """
    row = _known(session, name)
    row.paused_note, row.updated_at = None, now
    session.flush()


def stop(session: Session, name: str, problem: str, now: datetime) -> None:
    """Disable a schedule that cannot be accounted for, so that it holds up no other, with the problem as its note."""
    session.execute(
        update(_TABLE)
        .where(_TABLE.c.name == name)
        .values(enabled=False, next_run=None, paused_note=STOPPED + problem, updated_at=now)
    )


_TABLE = ScheduleRow.metadata.tables[ScheduleRow.__tablename__]
_RECORDS = select(
    _TABLE.c.name,
    type_coerce(_TABLE.c.definition_json, Text),
    _TABLE.c.enabled,
    _TABLE.c.paused_note,
    _TABLE.c.next_run,
    _TABLE.c.watermark,
    _TABLE.c.last_run,
    _TABLE.c.run_count,
    _TABLE.c.success_count,
    _TABLE.c.failure_count,
    _TABLE.c.created_at,
    _TABLE.c.updated_at,
).where(_TABLE.c.removed_at.is_(None))
"""The fields of `ScheduleRecord`, in their order."""


def _row(session: Session, name: str) -> ScheduleRow | None:
    row = session.get(ScheduleRow, name)
    return None if row is None or row.removed_at is not None else row


def _known(session: Session, name: str) -> ScheduleRow:
    row = _row(session, name)
    if row is None:
        raise ScheduleError("no such schedule", where=name, remedy="`ouroboros schedules` lists them.")
    return row


def parse_definition(name: str, definition_json: str) -> TrainingSchedule:
    """A definition as its row holds it.

    Raises:
        ScheduleError: it cannot be read.
    """
    try:
        return TrainingSchedule.model_validate_json(definition_json)
    except ValidationError as error:
        raise ScheduleError(
            f"a schedule's definition in the database cannot be read: {describe(error)}",
            where=name,
            remedy="Save the schedule anew.",
        ) from error
