"""Put a run into the queue outside the cron lines: by hand, by a trigger, by a trigger file."""

from datetime import datetime

from sqlalchemy.orm import Session

from runner.schedule import overlap
from runner.schedule.overlap import OverlapAction
from runner.store import queue, schedules
from runner.store.occurrences import NewOccurrence
from runner.store.queue import ActiveOccurrences, Recorded
from runner.store.states import OccurrenceState
from schemas.automation import TrainingSchedule, TriggerCondition, TriggerType
from schemas.errors import ScheduleError

NO_CRON = ""
"""The cron line of a run that no schedule stands for."""


def enqueue_run(
    session: Session,
    schedule: TrainingSchedule,
    trigger_type: TriggerType,
    now: datetime,
    max_queue_length: int,
    *,
    trigger_name: str | None = None,
    priority: int | None = None,
    note: str = "",
    fold: bool = False,
) -> Recorded:
    """Record one run. Two at one instant are two runs.

    Args:
        fold: apply the schedule's overlap policy, as a trigger that fires by itself does; a person who asks is
            always given a run.
    """
    state, reason, into = _by_overlap(session, schedule, note) if fold else (OccurrenceState.QUEUED, note, None)
    occurrence = NewOccurrence(
        schedule,
        queue.free_instant(session, schedule.name, now),
        trigger_type=trigger_type,
        trigger_name=trigger_name,
        state=state,
        reason=reason,
        coalesced_into=into,
        priority=priority,
        note=note,
    )
    return queue.record(session, occurrence, now, max_queue_length)


def _by_overlap(session: Session, schedule: TrainingSchedule, note: str) -> tuple[OccurrenceState, str, int | None]:
    """The state, its reason and what it is folded into, by the schedule's overlap policy."""
    busy = queue.active(session, [schedule.name]).get(schedule.name, ActiveOccurrences())
    decision = overlap.decide(schedule, busy.running, busy.queued)
    reason = decision.reason or note
    if decision.action is OverlapAction.SKIP:
        return OccurrenceState.SKIPPED, reason, None
    if decision.action is OverlapAction.COALESCE:
        return OccurrenceState.COALESCED, reason, decision.into
    return OccurrenceState.QUEUED, reason, None


def schedule_for(session: Session, trigger: TriggerCondition) -> TrainingSchedule:
    """Whose configuration and policies a trigger's run takes: the schedule it names, or its own.

    Raises:
        ScheduleError: it names a schedule that is not there.
    """
    if trigger.schedule is None:
        return TrainingSchedule(
            name=trigger.name,
            cron_expression=NO_CRON,
            training_config=trigger.training_config,
            priority=trigger.priority,
        )
    found = schedules.get(session, trigger.schedule)
    if found is None:
        raise ScheduleError(
            f"trigger {trigger.name} names a schedule that does not exist",
            where=trigger.schedule,
            remedy="Add the schedule, or change the trigger.",
        )
    return found.schedule
