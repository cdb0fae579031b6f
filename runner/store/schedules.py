"""Schedules: saved, due, accounted for, paused, removed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pydantic import ValidationError
from sqlalchemy import Text, bindparam, exists, func, literal, select, tuple_, type_coerce, update
from sqlalchemy.orm import Session

from runner.store import definitions, queue
from runner.store.columns import EnumText, Instant
from runner.store.engine import Row, execute_prepared
from runner.store.occurrences import NewOccurrence
from runner.store.queue import BulkRecorded
from runner.store.states import OccurrenceState
from runner.store.tables import DefinitionRow, OccurrenceRow, ScheduleRow
from schemas.automation import TrainingSchedule
from schemas.errors import ScheduleError
from schemas.settings import describe
from schemas.times import to_text

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
    """Settled executions, cancelled ones too."""
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
            return _read(self.name, self.definition_json)
        return self.readable

    @cached_property
    def readable(self) -> TrainingSchedule | None:
        """The definition, None if it cannot be read; parsed on first use: a list of 10,000 seldom needs them all."""
        try:
            return _read(self.name, self.definition_json)
        except ScheduleError:
            return None


@dataclass(frozen=True)
class DueSchedule:
    """A schedule whose next run has come."""

    name: str
    definition_json: str
    next_run: datetime
    watermark: datetime
    paused_note: str | None
    """Not None: its occurrences are to be recorded as missed, with this note as the reason."""

    @cached_property
    def schedule(self) -> TrainingSchedule:
        """The definition.

        Raises:
            ScheduleError: it cannot be read.
        """
        return _read(self.name, self.definition_json)


Version = tuple[str, str, str, str, int | None]
"""A schedule's next run, name, watermark, last edit and definition, as the database holds them: equal means
unchanged."""


@dataclass(frozen=True, slots=True)
class ComingSchedule:
    """A schedule that is about to fall due."""

    name: str
    definition_json: str
    definition_id: int
    sha256: str
    next_run: datetime
    watermark: datetime
    version: Version

    def is_kept_as(self, schedule: TrainingSchedule) -> bool:
        """Whether `definition_id` is this very definition: one edited by hand, or written by an older version, is not
        kept yet as it would be written now."""
        return definitions.digest(schedule.model_dump_json()) == self.sha256


@dataclass(frozen=True, slots=True)
class PreparedFire:
    """One fire of a schedule, worked out before its instant."""

    version: Version
    """Of the row that it was worked out from."""
    row: Row
    """Of `queue.prepared_row`."""
    moved: Row
    """Of `prepared_move`."""


@dataclass(frozen=True, slots=True)
class Account:
    """What became of everything that was due of one schedule, up to a new watermark."""

    name: str
    occurrences: tuple[NewOccurrence, ...]
    watermark: datetime
    next_run: datetime | None


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


def resting(session: Session, limit: int) -> list[ScheduleRecord]:
    """Schedules that will not fire as they stand: paused, disabled, or without a next fire; by name."""
    awake = _TABLE.c.enabled.is_(True) & _TABLE.c.paused_note.is_(None) & _TABLE.c.next_run.is_not(None)
    return [
        ScheduleRecord(*row) for row in session.execute(_RECORDS.where(~awake).order_by(_TABLE.c.name).limit(limit))
    ]


def count_active(session: Session) -> int:
    """How many are not removed."""
    statement = select(func.count()).select_from(ScheduleRow).where(ScheduleRow.removed_at.is_(None))
    return session.scalar(statement) or 0


def coming(session: Session, after: tuple[datetime, str], until: datetime, limit: int) -> list[ComingSchedule]:
    """Enabled schedules that are neither paused nor due yet, in the order of their next runs, from the one after
    `after` (a next run and a name) on."""
    rows = session.execute(
        select(
            _TABLE.c.name,
            type_coerce(_TABLE.c.definition_json, Text),
            _TABLE.c.definition_id,
            DefinitionRow.sha256,
            _TABLE.c.next_run,
            _TABLE.c.watermark,
            *_VERSION,
        )
        .join(DefinitionRow, DefinitionRow.id == _TABLE.c.definition_id)
        .where(
            tuple_(_TABLE.c.next_run, _TABLE.c.name) > tuple_(after[0], after[1], types=[Instant, Text]),
            _TABLE.c.next_run <= until,
            _TABLE.c.removed_at.is_(None),
            _TABLE.c.enabled.is_(True),
            _TABLE.c.paused_note.is_(None),
        )
        .order_by(_TABLE.c.next_run, _TABLE.c.name)
        .limit(limit)
    )
    return [
        ComingSchedule(name, definition_json, definition_id, sha256, next_run, watermark, (due, who, until, edit, kept))
        for name, definition_json, definition_id, sha256, next_run, watermark, due, who, until, edit, kept in rows
    ]


def due_unblocked(session: Session, after: Version | None, now: datetime, limit: int) -> list[Version]:
    """Of what is due, in its order from the one behind `after` on, those that are neither paused nor queued nor
    running; of each only what tells whether it is as it was: a fraction of the time that `due` takes."""
    busy = exists().where(
        OccurrenceRow.schedule_name == _TABLE.c.name,
        OccurrenceRow.state.in_(
            [
                literal(state, EnumText(OccurrenceState), literal_execute=True)
                for state in (OccurrenceState.QUEUED, OccurrenceState.RUNNING)
            ]
        ),
    )
    beyond = () if after is None else (tuple_(*_VERSION[:2]) > tuple_(*after[:2], types=[Text, Text]),)
    rows = session.execute(
        select(*_VERSION)
        .where(
            *beyond,
            _TABLE.c.next_run <= now,
            _TABLE.c.removed_at.is_(None),
            _TABLE.c.enabled.is_(True),
            _TABLE.c.paused_note.is_(None),
            ~busy,
        )
        .order_by(_TABLE.c.next_run, _TABLE.c.name)
        .limit(limit)
    ).all()
    return [tuple(row) for row in rows]


def prepared_move(version: Version, watermark: datetime, next_run: datetime | None) -> Row:
    """Where a schedule stands after the fire that was worked out from `version`: for `move_prepared`."""
    held_next_run, name, held_watermark, held_update, _ = version
    moved_to = None if next_run is None else to_text(next_run)
    return moved_to, to_text(watermark), name, held_next_run, held_watermark, held_update


def move_prepared(session: Session, rows: list[Row]) -> int:
    """Move the watermarks and next runs of schedules that are still as they were; how many. One that was changed in
    between stays due, and whoever accounts for it finds the occurrence recorded."""
    return execute_prepared(session, _MOVE, _MOVE_KEYS, rows)


def due(session: Session, now: datetime, limit: int) -> list[DueSchedule]:
    """Enabled schedules whose next run is at or before `now`, the most overdue first; paused ones are among them.

    Call it in the write transaction that accounts for them, so that no edit falls between the two.
    """
    columns = (
        ScheduleRow.name,
        type_coerce(_TABLE.c.definition_json, Text),
        ScheduleRow.next_run,
        ScheduleRow.watermark,
        ScheduleRow.paused_note,
    )
    rows = session.execute(
        select(*columns)
        .where(ScheduleRow.next_run <= now, ScheduleRow.removed_at.is_(None), ScheduleRow.enabled.is_(True))
        .order_by(ScheduleRow.next_run, ScheduleRow.name)
        .limit(limit)
    )
    return [
        DueSchedule(name, definition_json, next_run, watermark, paused_note)
        for name, definition_json, next_run, watermark, paused_note in rows
        if next_run is not None
    ]


def accounted_beyond(session: Session, now: datetime) -> list[tuple[str, TrainingSchedule]]:
    """Enabled schedules whose watermark lies after `now`, with their definitions: a clock that was ahead put it there.
    Those that cannot be read are left out."""
    rows = session.execute(_RECORDS.where(_TABLE.c.watermark > now, _TABLE.c.enabled.is_(True)).order_by(_TABLE.c.name))
    records = [ScheduleRecord(*row) for row in rows]
    return [(record.name, record.readable) for record in records if record.readable is not None]


def next_due(session: Session) -> datetime | None:
    """When the next enabled schedule falls due (it may be in the past)."""
    return session.scalar(
        select(ScheduleRow.next_run)
        .where(ScheduleRow.next_run.is_not(None), ScheduleRow.removed_at.is_(None), ScheduleRow.enabled.is_(True))
        .order_by(ScheduleRow.next_run)
        .limit(1)
    )


def account(session: Session, accounts: Sequence[Account], now: datetime, max_queue_length: int) -> BulkRecorded:
    """Record everything that was due of many schedules, and move their watermarks and next runs.

    One transaction and few statements, however many schedules; repeating it after a crash records nothing twice.
    """
    if not accounts:
        return BulkRecorded(0, 0, 0)
    news = [new for item in accounts for new in item.occurrences]
    recorded = queue.record_many(session, news, now, max_queue_length)
    session.connection().execute(
        update(_TABLE)
        .where(_TABLE.c.name == bindparam("of_name"))
        .values(watermark=bindparam("new_watermark"), next_run=bindparam("new_next_run")),
        [{"of_name": item.name, "new_watermark": item.watermark, "new_next_run": item.next_run} for item in accounts],
    )
    return recorded


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
_VERSION = (
    type_coerce(_TABLE.c.next_run, Text).label("next_run_held"),
    _TABLE.c.name.label("name_held"),
    type_coerce(_TABLE.c.watermark, Text).label("watermark_held"),
    type_coerce(_TABLE.c.updated_at, Text).label("updated_at_held"),
    _TABLE.c.definition_id.label("definition_id_held"),
)
"""The fields of `Version`, in their order."""
_MOVE_KEYS = ("new_next_run", "new_watermark", "of_name", "held_next_run", "held_watermark", "held_update")
_MOVE = (
    update(_TABLE)
    .where(
        _TABLE.c.name == bindparam("of_name"),
        _TABLE.c.next_run == bindparam("held_next_run"),
        _TABLE.c.watermark == bindparam("held_watermark"),
        _TABLE.c.updated_at == bindparam("held_update"),
    )
    .values(watermark=bindparam("new_watermark"), next_run=bindparam("new_next_run"))
)
"""One schedule to where it stands after a prepared fire."""
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


def _read(name: str, definition_json: str) -> TrainingSchedule:
    try:
        return TrainingSchedule.model_validate_json(definition_json)
    except ValidationError as error:
        raise ScheduleError(
            f"a schedule's definition in the database cannot be read: {describe(error)}",
            where=name,
            remedy="Save the schedule anew.",
        ) from error
