"""How a schedule looks in a listing."""

from datetime import datetime

from runner.commands.tables import Column, soon
from runner.store.schedules import ScheduleRecord

SCHEDULE_COLUMNS = (
    Column("schedule", whole=True),
    Column("cron", whole=True),
    Column("zone", wide_only=True),
    Column("priority", wide_only=True),
    Column("worker", wide_only=True),
    Column("next"),
    Column("runs", whole=True),
    Column("good", whole=True),
    Column("bad", whole=True),
    Column(""),
)


def schedule_row(item: ScheduleRecord, now: datetime) -> list[str]:
    """A cell for each of `SCHEDULE_COLUMNS`."""
    schedule = item.readable
    note = f"paused: {item.paused_note}" if item.paused_note is not None else "" if item.enabled else "disabled"
    return [
        item.name,
        schedule.cron_expression if schedule else "unreadable",
        schedule.timezone if schedule else "",
        str(schedule.priority) if schedule else "",
        schedule.worker if schedule else "",
        soon(item.next_run, now, schedule.timezone if schedule else "UTC"),
        str(item.run_count),
        str(item.success_count),
        str(item.failure_count),
        note,
    ]
