"""Save schedules and triggers: checked first, with their next fires known, in one transaction."""

from datetime import datetime

from sqlalchemy.orm import Session

from runner.flow.asking import ask
from runner.schedule import fires
from runner.store import schedules, triggers
from runner.store.engine import Store
from runner.triggers.conditions import check_condition
from schemas.automation import (
    TrainingSchedule,
    TriggerCondition,
    TriggerType,
    create_default_schedules,
    create_default_triggers,
)

FIRES_SHOWN = 5
FIRST_RUN = "continuous_learning"
"""Of the default schedules, the one whose run is started at once on the very first start: the shortest."""


def save_schedule(session: Session, schedule: TrainingSchedule, now: datetime) -> list[datetime]:
    """Save, and return the next five fire times. Nothing due before `now` fires under the new definition.

    Raises:
        ScheduleError: the cron line or time zone cannot be used, or never fires.
    """
    coming = fires.check(schedule.name, schedule.cron_expression, schedule.timezone, now, FIRES_SHOWN)
    schedules.save(session, schedule, coming[0] if schedule.enabled else None, now)
    return coming


def save_trigger(store: Store, trigger: TriggerCondition, now: datetime) -> None:
    """Save, after a check that its condition exists and takes its parameters.

    Raises:
        ScheduleError: no such condition, or parameters that it does not take.
    """
    check_condition(trigger)  # before the transaction: a condition of the user's own is imported by a child process
    with store.write() as session:
        triggers.save(session, trigger, now)


def seed(session: Session, now: datetime, max_queue_length: int) -> bool:
    """On the very first start: the default schedules and triggers, and one run at once. False if a schedule was ever
    saved, so that what a user removed stays removed."""
    if schedules.ever_saved(session):
        return False
    for schedule in create_default_schedules():
        save_schedule(session, schedule, now)
        if schedule.name == FIRST_RUN:
            ask(session, schedule, TriggerType.MANUAL, now, max_queue_length, note="the very first start")
    seed_triggers(session, now)
    return True


def seed_triggers(session: Session, now: datetime) -> None:
    """The default triggers, unless one was ever saved here."""
    if triggers.ever_saved(session):
        return
    for trigger in create_default_triggers():
        triggers.save(session, trigger, now)
