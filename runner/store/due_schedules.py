"""Schedules that are due, or soon will be: what fell due is accounted for once, and next run and watermark move on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from sqlalchemy import Text, bindparam, exists, select, tuple_, type_coerce, update
from sqlalchemy.orm import Session

from runner.store import definitions, queue
from runner.store.columns import Instant, constant
from runner.store.occurrences import NewOccurrence
from runner.store.queue import BulkRecorded
from runner.store.schedules import parse_definition
from runner.store.statements import Row, execute_prepared
from runner.store.states import OccurrenceState
from runner.store.tables import DefinitionRow, OccurrenceRow, ScheduleRow
from schemas.automation import TrainingSchedule
from schemas.times import to_text

_TABLE = ScheduleRow.metadata.tables[ScheduleRow.__tablename__]


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
        return parse_definition(self.name, self.definition_json)


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
        OccurrenceRow.state.in_([constant(state) for state in (OccurrenceState.QUEUED, OccurrenceState.RUNNING)]),
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


def have_lost_their_run(session: Session) -> bool:
    """Whether `mend_next_runs` has anything to do."""
    return session.scalar(select(_TABLE.c.name).where(*_LOST).limit(1)) is not None


def mend_next_runs(session: Session) -> list[str]:
    """Make those schedules due whose next run somebody overwrote with what is no instant and would never come: what
    fell due since their watermark is accounted for, and the next run worked out anew. Their names."""
    names = list(session.scalars(select(_TABLE.c.name).where(*_LOST)))
    statement = update(_TABLE).where(*_LOST).values(next_run=_TABLE.c.watermark)
    session.execute(statement.execution_options(synchronize_session=False))
    return names


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


_VERSION = (
    type_coerce(_TABLE.c.next_run, Text).label("next_run_held"),
    _TABLE.c.name.label("name_held"),
    type_coerce(_TABLE.c.watermark, Text).label("watermark_held"),
    type_coerce(_TABLE.c.updated_at, Text).label("updated_at_held"),
    _TABLE.c.definition_id.label("definition_id_held"),
)
"""The fields of `Version`, in their order."""


_LOST = (
    type_coerce(_TABLE.c.next_run, Text) > to_text(datetime.max.replace(tzinfo=UTC)),
    _TABLE.c.removed_at.is_(None),
    _TABLE.c.enabled.is_(True),
)
"""Letters come after all digits."""


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
