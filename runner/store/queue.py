"""The queue: every due occurrence recorded once, waiting, begun, retried, ended. Each step names the state it
leaves, so that a step repeated after a crash changes nothing."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased, joinedload

from runner.store import definitions, history
from runner.store.columns import UnreadableColumn, as_held, constant, to_microseconds
from runner.store.occurrences import NewOccurrence, start_deadline, to_columns, to_queued_run
from runner.store.statements import Row, execute_prepared, insert_or_ignore, rows_changed
from runner.store.states import OccurrenceState, occurrence_state
from runner.store.tables import ExecutionRow, OccurrenceRow
from schemas.automation import TriggerType
from schemas.execution import Outcome, QueuedRun

_SAME_MOMENT = timedelta(seconds=1)
_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one `record`."""

    occurrence_id: int
    created: bool
    """False: this schedule and time had its row already; nothing was changed."""
    state: OccurrenceState


@dataclass(frozen=True, slots=True)
class BulkRecorded:
    """What became of many."""

    created: int
    already: int
    refused: int
    """Recorded as missed, because the queue was full (among `created`)."""


@dataclass(frozen=True, slots=True)
class ActiveOccurrences:
    """What a schedule has queued and running: the overlap policy reads it."""

    queued: tuple[int, ...] = ()
    running: tuple[int, ...] = ()


def record(session: Session, new: NewOccurrence, now: datetime, max_queue_length: int) -> Recorded:
    """Record one occurrence; a second time is harmless.

    With `max_queue_length` waiting already it is recorded as missed with that reason; emergencies are always queued.
    """
    bounded = _bound([new], max_queue_length - depth(session))
    result = _insert(session, bounded, now)
    _resolve_coalesced(session, bounded)
    row = session.execute(
        select(OccurrenceRow.id, OccurrenceRow.state).where(
            OccurrenceRow.schedule_name == new.schedule.name, OccurrenceRow.scheduled_for == new.scheduled_for
        )
    ).one()
    return Recorded(row.id, result == 1, row.state)


def record_many(session: Session, news: Sequence[NewOccurrence], now: datetime, max_queue_length: int) -> BulkRecorded:
    """Record many occurrences at once, as `record` does each."""
    if not news:
        return BulkRecorded(0, 0, 0)
    bounded = _bound(news, max_queue_length - depth(session))
    created = _insert(session, bounded, now)
    _resolve_coalesced(session, bounded)
    refused = sum(after is not before for before, after in zip(news, bounded, strict=True))
    return BulkRecorded(created, len(news) - created, refused)


def prepared_row(new: NewOccurrence, definition_id: int) -> Row:
    """The row of an occurrence that is to run, as the database will hold it: for `record_prepared`."""
    columns = to_columns(new, definition_id, new.scheduled_for)
    return tuple(as_held(_TABLE.c[name].type, columns[name]) for name in _PREPARED[:-1])


def record_prepared(session: Session, rows: Sequence[Row], now: datetime) -> int:
    """Insert rows of `prepared_row`; those whose schedule and time have one already are passed over. How many were
    inserted."""
    recorded_at = to_microseconds(now)
    return execute_prepared(
        session, insert_or_ignore(session, _TABLE), _PREPARED, [(*row, recorded_at) for row in rows]
    )


def free_instant(session: Session, schedule_name: str, instant: datetime) -> datetime:
    """`instant`, or the first microseconds after it that no occurrence of this name has taken.

    For runs asked for by hand or by file: two of them at one moment are two runs. A cron time is never moved.
    """
    same_name = OccurrenceRow.schedule_name == schedule_name
    taken = select(OccurrenceRow.id).where(same_name, OccurrenceRow.scheduled_for == instant)
    if session.scalar(taken) is None:
        return instant
    latest = session.scalar(
        select(func.max(OccurrenceRow.scheduled_for)).where(
            same_name, OccurrenceRow.scheduled_for >= instant, OccurrenceRow.scheduled_for < instant + _SAME_MOMENT
        )
    )
    assert latest is not None
    return free_instant(session, schedule_name, latest + timedelta(microseconds=1))


def waiting(session: Session, now: datetime, limit: int) -> list[QueuedRun]:
    """Runs that may start now, in the order in which they should: emergencies, then by priority, then by age. Rows
    that cannot be read are passed over, however many stand before the others."""
    runs: list[QueuedRun] = []
    offset = 0
    while len(runs) < limit:
        page, rows = waiting_page(session, now, limit, offset)
        runs += page
        offset += rows
        if rows < limit:
            break
    return runs[:limit]


def waiting_page(session: Session, now: datetime, limit: int, offset: int) -> tuple[list[QueuedRun], int]:
    """Of `limit` waiting rows from `offset` on the runs that can be read, and how many rows there were."""
    rows = session.scalars(
        _WITH_DEFINITIONS.where(_QUEUED, OccurrenceRow.not_before <= now)
        .order_by(*_HEAD_FIRST)
        .limit(limit)
        .offset(offset)
    ).all()
    return _readable(rows), len(rows)


def queued(session: Session, limit: int) -> list[QueuedRun]:
    """All that wait, those not ready yet too, in the order in which they should start."""
    return _readable(session.scalars(_WITH_DEFINITIONS.where(_QUEUED).order_by(*_HEAD_FIRST).limit(limit)))


def depth(session: Session) -> int:
    """How many occurrences wait."""
    return session.scalar(select(func.count()).select_from(OccurrenceRow).where(_QUEUED)) or 0


def next_not_before(session: Session, now: datetime) -> datetime | None:
    """When the next of the runs that are not ready yet will be; None: all are, or none waits."""
    return session.scalar(select(func.min(OccurrenceRow.not_before)).where(_QUEUED, OccurrenceRow.not_before > now))


def next_start_deadline(session: Session) -> datetime | None:
    """When the next waiting run is missed."""
    return session.scalar(select(func.min(OccurrenceRow.start_deadline)).where(_QUEUED))


def expire(session: Session, now: datetime) -> list[QueuedRun]:
    """End as missed what still waits past its start deadline; the reason tells what it last waited for. Returns the
    runs, without those whose row or definition cannot be read: their rows say so.

    What has run already, and waits for a further execution, is no occurrence that never ran: it ends as failed.
    """
    found = session.scalars(_WITH_DEFINITIONS.where(_QUEUED, OccurrenceRow.start_deadline < now))
    rows = sorted(found, key=lambda row: (row.start_deadline, row.id))
    expired = [to_queued_run(row) for row in rows]
    ran = _that_ran(session, [row.id for row in rows])
    for row, run in zip(rows, expired, strict=True):
        if isinstance(run, UnreadableColumn):
            row.reason = run.problem
        waited = f": {row.reason}" if row.reason else ""
        row.state = OccurrenceState.FAILED if row.id in ran else OccurrenceState.MISSED
        row.reason = f"still waiting at its start deadline{waited}"
        row.finished_at = now
    session.flush()
    return [run for run in expired if isinstance(run, QueuedRun)]


def renew_start_deadlines(session: Session, now: datetime) -> int:
    """At a daemon's start: runs that the last shutdown interrupted may start as late as if they fell due now, however
    long the daemon was away. Returns how many."""
    interrupted = exists().where(
        ExecutionRow.occurrence_id == OccurrenceRow.id, ExecutionRow.attempt == OccurrenceRow.attempt
    )
    rows = session.scalars(_WITH_DEFINITIONS.where(_QUEUED, interrupted)).all()
    for row in rows:
        if row.definition is not None and not isinstance(row.definition, UnreadableColumn):
            row.start_deadline = max(row.start_deadline, start_deadline(row.definition, now))
    session.flush()
    return len(rows)


def defer(session: Session, occurrence_id: int, reason: str, not_before: datetime) -> bool:
    """Keep a run waiting until `not_before`, with the reason; False if it no longer waits."""
    statement = update(OccurrenceRow).where(OccurrenceRow.id == occurrence_id, _QUEUED)
    return rows_changed(session.execute(statement.values(reason=reason, not_before=not_before))) == 1


def begin(
    session: Session,
    occurrence_id: int,
    now: datetime,
    *,
    worker: str,
    worker_reason: str,
    seed: int,
    run_dir: Callable[[int], Path],
) -> int | None:
    """Write down the intent to run: the occurrence becomes running, with a new execution `starting`.

    Args:
        run_dir: the run's folder, from the execution's id.

    Returns:
        The execution's id; None if the occurrence is not queued (any more), and then nothing was changed.
    """
    row = session.get(OccurrenceRow, occurrence_id)
    if row is None or row.state is not OccurrenceState.QUEUED:
        return None
    row.state, row.reason = OccurrenceState.RUNNING, ""
    session.flush()
    plan = history.RunPlan(worker=worker, worker_reason=worker_reason, seed=seed, run_dir=run_dir)
    return history.open_execution(session, row, plan, now)


def retry(session: Session, occurrence_id: int, not_before: datetime, reason: str, attempt: int | None = None) -> bool:
    """Queue a running occurrence again; False if it is not running.

    Args:
        attempt: the number of its next execution; None: one more. The same number again where the daemon itself
            ended the run, which must not use up a retry.

    Its start deadline moves along: a run that did start on time must not be missed between two attempts.
    """
    row = session.get(OccurrenceRow, occurrence_id)
    if row is None or row.state is not OccurrenceState.RUNNING:
        return False
    assert row.definition is not None
    row.state, row.reason, row.not_before = OccurrenceState.QUEUED, reason, not_before
    row.attempt = row.attempt + 1 if attempt is None else attempt
    if not isinstance(row.definition, UnreadableColumn):
        row.start_deadline = max(row.start_deadline, start_deadline(row.definition, not_before))
    session.flush()
    return True


def finish(session: Session, occurrence_id: int, outcome: Outcome, reason: str, now: datetime) -> bool:
    """End a running occurrence for good; False if it is not running."""
    statement = update(OccurrenceRow).where(
        OccurrenceRow.id == occurrence_id, OccurrenceRow.state == OccurrenceState.RUNNING
    )
    end = {"state": occurrence_state(outcome), "reason": reason, "finished_at": now}
    return rows_changed(session.execute(statement.values(end))) == 1


def cancel(session: Session, occurrence_id: int, reason: str, now: datetime) -> bool:
    """End a waiting occurrence as cancelled; False if it does not wait (a running one is stopped by its worker)."""
    statement = update(OccurrenceRow).where(OccurrenceRow.id == occurrence_id, _QUEUED)
    end = {"state": OccurrenceState.CANCELLED, "reason": reason, "finished_at": now}
    return rows_changed(session.execute(statement.values(end))) == 1


def active(session: Session, schedule_names: Collection[str]) -> dict[str, ActiveOccurrences]:
    """What each of these schedules has queued and running; those with nothing are absent."""
    names = list(schedule_names)
    found: dict[str, ActiveOccurrences] = {}
    for start in range(0, len(names), _PER_QUERY):
        rows = session.execute(
            select(OccurrenceRow.schedule_name, OccurrenceRow.id, OccurrenceRow.state)
            .where(_ACTIVE, OccurrenceRow.schedule_name.in_(names[start : start + _PER_QUERY]))
            .order_by(OccurrenceRow.id)
        )
        for name, occurrence_id, state in rows:
            known = found.get(name, ActiveOccurrences())
            found[name] = (
                replace(known, queued=(*known.queued, occurrence_id))
                if state is OccurrenceState.QUEUED
                else replace(known, running=(*known.running, occurrence_id))
            )
    return found


_TABLE = OccurrenceRow.metadata.tables[OccurrenceRow.__tablename__]
_PREPARED = (
    "schedule_name",
    "trigger_type",
    "scheduled_for",
    "state",
    "reason",
    "priority",
    "queue_rank",
    "not_before",
    "start_deadline",
    "attempt",
    "definition_id",
    "note",
    "created_at",
)
"""What a waiting run of a schedule has, in the table's order, the time of its recording last; the rest is NULL."""


_QUEUED = OccurrenceRow.state == constant(OccurrenceState.QUEUED)
_ACTIVE = OccurrenceRow.state.in_([constant(OccurrenceState.QUEUED), constant(OccurrenceState.RUNNING)])
_WITH_DEFINITIONS = select(OccurrenceRow).options(joinedload(OccurrenceRow.definition_row))
_HEAD_FIRST = (OccurrenceRow.queue_rank, OccurrenceRow.scheduled_for, OccurrenceRow.id)


def _insert(session: Session, news: Sequence[NewOccurrence], now: datetime) -> int:
    """Insert those whose schedule and time have no row yet; how many."""
    known = definitions.ids(session, [new.schedule for new in news if new.state is OccurrenceState.QUEUED])
    by_schedule: dict[int, int | None] = {}
    for new in news:
        if id(new.schedule) not in by_schedule:
            by_schedule[id(new.schedule)] = known.get(definitions.digest(new.schedule.model_dump_json()))
    rows = [to_columns(new, by_schedule[id(new.schedule)], now) for new in news]
    return rows_changed(session.execute(insert_or_ignore(session, _TABLE), rows))


def _readable(rows: Iterable[OccurrenceRow]) -> list[QueuedRun]:
    return [run for row in rows if isinstance(run := to_queued_run(row), QueuedRun)]


def _that_ran(session: Session, occurrence_ids: Sequence[int]) -> set[int]:
    """Those with an execution."""
    ran: set[int] = set()
    for start in range(0, len(occurrence_ids), _PER_QUERY):
        some = occurrence_ids[start : start + _PER_QUERY]
        ran |= set(session.scalars(select(ExecutionRow.occurrence_id).where(ExecutionRow.occurrence_id.in_(some))))
    return ran


def _bound(news: Sequence[NewOccurrence], room: int) -> list[NewOccurrence]:
    bounded = []
    for new in news:
        if new.state is OccurrenceState.QUEUED and new.trigger_type is not TriggerType.EMERGENCY:
            room -= 1
            if room < 0:
                reason = "the queue is full (scheduler.max_queue_length)"
                bounded.append(replace(new, state=OccurrenceState.MISSED, reason=reason))
                continue
        bounded.append(new)
    return bounded


def _resolve_coalesced(session: Session, news: Sequence[NewOccurrence]) -> None:
    other = aliased(OccurrenceRow)
    for new in news:
        if new.coalesced_with is None or new.coalesced_into is not None:
            continue
        stands_for_it = (
            select(other.id)
            .where(other.schedule_name == new.schedule.name, other.scheduled_for == new.coalesced_with)
            .scalar_subquery()
        )
        session.execute(
            update(OccurrenceRow)
            .where(
                OccurrenceRow.schedule_name == new.schedule.name,
                OccurrenceRow.scheduled_for == new.scheduled_for,
                OccurrenceRow.state == OccurrenceState.COALESCED,  # not one that a clock since set back ran already
            )
            .values(coalesced_into=stands_for_it)
            .execution_options(synchronize_session=False)
        )
