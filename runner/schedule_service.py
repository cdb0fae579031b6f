"""Save and remove schedules and triggers: checked first, with their next fires known, in one transaction.

What an old definition owes is written down before it changes or goes: what fell due of it and nobody looked at yet is
recorded as missed, and what still waits of a schedule that goes is cancelled.
"""

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.orm import Session

from runner.flow.enqueue import enqueue_run
from runner.guards.worker_choice import PIPELINE
from runner.schedule import catch_up, fires
from runner.schedule.describe import seconds_first_warning
from runner.store import decisions, queue, schedules, triggers
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.schedules import ScheduleRecord
from runner.store.states import OccurrenceState
from runner.triggers.conditions import check_condition
from runner.worker.jobs import check_job
from schemas.automation import (
    AUTO_WORKER,
    TrainingSchedule,
    TriggerCondition,
    TriggerType,
    create_default_schedules,
    create_default_triggers,
)
from schemas.errors import ScheduleError
from schemas.execution import Decision, DecisionKind

FIRES_SHOWN = 5
_log = logging.getLogger("ouroboros.schedules")
FIRST_RUN = "continuous_learning"
"""Of the default schedules, the one whose run is started at once on the very first start: the shortest."""


def save_schedule(session: Session, schedule: TrainingSchedule, now: datetime) -> list[datetime]:
    """Save, and return the next five fire times. Nothing due before `now` fires under the new definition.

    A schedule that stands exactly so already is left alone: what fell due of it while no daemon ran is caught up all
    the same, however often a script saves it again.

    Raises:
        ScheduleError: the cron line or time zone cannot be used, or never fires.
        BadInputError: no worker of that name is installed.
    """
    if schedule.worker not in (AUTO_WORKER, PIPELINE):  # both may be saved before the self-play pipeline is installed
        check_job(schedule.worker)
    coming = fires.check(schedule.name, schedule.cron_expression, schedule.timezone, now, FIRES_SHOWN)
    if warning := seconds_first_warning(schedule.cron_expression, schedule.timezone, schedule.name):
        _log.warning("Schedule %s: %s", schedule.name, warning)
    old = schedules.get(session, schedule.name)
    if old is not None:
        if old.enabled == schedule.enabled and old.readable == schedule:
            return coming
        ending = "edited" if schedule.enabled else "disabled"
        _mark_missed(session, old, ending, now)
        if old.enabled and not schedule.enabled:
            _cancel_waiting(session, old.name, ending, now)
    schedules.save(session, schedule, coming[0] if schedule.enabled else None, now)
    return coming


def coming_fires(
    records: Iterable[ScheduleRecord], now: datetime, limit: int, taken: Collection[tuple[str, datetime]] = ()
) -> list[tuple[datetime, str]]:
    """The next fires of all schedules that will fire, with their names; those that cannot be used are left out.

    Args:
        taken: names and instants that have their row already, from a clock that was ahead: they do not fire again.
    """
    coming: list[tuple[datetime, str]] = []
    for record in records:
        schedule = record.readable
        if schedule is None or not record.enabled or record.paused_note is not None:
            continue
        try:
            wanted = limit + sum(name == record.name for name, _ in taken)
            instants = fires.upcoming(record.name, schedule.cron_expression, schedule.timezone, now, wanted)
        except ScheduleError as error:
            _log.warning("Schedule %s cannot fire: %s", record.name, error)
            continue
        coming += [(instant, record.name) for instant in instants if (record.name, instant) not in taken]
    return sorted(coming)[:limit]


def remove_schedule(session: Session, name: str, now: datetime) -> None:
    """Take a schedule out of service. What waits of it is cancelled; a run under way goes on; its history stays.

    Raises:
        ScheduleError: no such schedule.
    """
    old = schedules.get(session, name)
    if old is None:
        raise ScheduleError("no such schedule", where=name, remedy="`ouroboros schedules` lists them.")
    _mark_missed(session, old, "removed", now)
    _cancel_waiting(session, name, "removed", now)
    schedules.remove(session, name, now)


@contextmanager
def saving_trigger(store: Store, trigger: TriggerCondition, now: datetime) -> Iterator[Session]:
    """Save, after a check that its condition exists and takes its parameters; what else belongs into the transaction
    may be done within.

    Raises:
        ScheduleError: no such condition, or parameters that it does not take.
    """
    check_condition(trigger)  # before the transaction: a condition of the user's own is imported by a child process
    with store.write() as session:
        triggers.save(session, trigger, now)
        yield session


def save_trigger(store: Store, trigger: TriggerCondition, now: datetime) -> None:
    """Save it, and nothing else; raises as `saving_trigger`."""
    with saving_trigger(store, trigger, now):
        pass


def seed(session: Session, now: datetime, max_queue_length: int, *, first_run: bool = True) -> bool:
    """On the very first start: the default schedules and triggers, and one run at once if wanted. False if a schedule
    was ever saved, so that what a user removed stays removed."""
    if schedules.ever_saved(session):
        return False
    for schedule in create_default_schedules():
        save_schedule(session, schedule, now)
        if schedule.name == FIRST_RUN and first_run:
            enqueue_run(session, schedule, TriggerType.MANUAL, now, max_queue_length, note="the very first start")
    seed_triggers(session, now)
    return True


def seed_triggers(session: Session, now: datetime) -> None:
    """The default triggers, unless one was ever saved here."""
    if triggers.ever_saved(session):
        return
    for trigger in create_default_triggers():
        triggers.save(session, trigger, now)


def _mark_missed(session: Session, old: ScheduleRecord, ending: str, now: datetime) -> None:
    """Record what the old definition owes, up to now, as missed."""
    if not old.enabled or old.readable is None:
        return
    code, reason = ending, f"the schedule was {ending} before anybody looked at this one"
    if old.paused_note is not None:
        code, reason = "paused", catch_up.paused_reason(old.paused_note)
    try:
        missed = catch_up.mark_missed(old.readable, old.watermark, now, code, reason)
    except ScheduleError as error:  # a time zone that is no more, say: what it owes is nothing that can be worked out
        _log.warning("What fell due of %s before it was %s is unknown: %s", old.name, ending, error)
        return
    news = [NewOccurrence(old.readable, row.scheduled_for, state=OccurrenceState.MISSED, reason=row.reason)
            for row in missed]  # fmt: skip
    queue.record_many(session, news, now, max_queue_length=0)  # none of them is to wait


def _cancel_waiting(session: Session, name: str, ending: str, now: datetime) -> None:
    waiting = queue.active(session, [name]).get(name)
    for occurrence_id in waiting.queued if waiting else ():
        reason = f"the schedule was {ending} while this one waited"
        queue.cancel(session, occurrence_id, reason, now)
        decision = Decision(kind=DecisionKind.CANCEL, code=ending, reason=reason)
        decisions.record(session, occurrence_id, name, decision, now)
