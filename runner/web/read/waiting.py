"""What waits and why, what fires next, and why a run did or did not start."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from runner.schedule import fires
from runner.web.read.rows import Row, Rows
from schemas.automation import TrainingSchedule
from schemas.errors import ScheduleError
from schemas.times import from_microseconds, kept_instant

FIRES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Waiting:
    """An occurrence in the queue."""

    occurrence_id: int
    schedule: str
    asked_by: str
    scheduled_for: datetime
    reason: str
    not_before: datetime
    start_deadline: datetime
    attempt: int
    priority: int


@dataclass(frozen=True, slots=True)
class Fire:
    """A coming fire of a schedule."""

    at: datetime
    schedule: str
    zone: str


@dataclass(frozen=True, slots=True)
class Told:
    """A decision about an occurrence; repeated ones are one."""

    kind: str
    code: str
    reason: str
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A due time, and what became of it."""

    id: int
    schedule: str
    trigger_type: str
    trigger_name: str | None
    scheduled_for: datetime
    state: str
    reason: str
    note: str
    attempt: int
    definition_json: str | None
    created_at: datetime
    finished_at: datetime | None


def queue(rows: Rows, limit: int) -> tuple[list[Waiting], int]:
    """The head of the queue in its order, and how many wait in all."""
    found = rows.execute(
        "SELECT id, schedule_name, trigger_type, trigger_name, scheduled_for, reason, not_before, start_deadline, "
        "attempt, priority FROM occurrence_rows WHERE state = 'queued' ORDER BY queue_rank, scheduled_for, id LIMIT ?",
        (limit,),
    ).fetchall()
    depth = rows.execute("SELECT count(*) FROM occurrence_rows WHERE state = 'queued'").fetchone()[0]
    return [_waiting(row) for row in found], depth


def coming(rows: Rows, now: datetime, limit: int = FIRES_SHOWN) -> list[Fire]:
    """The next fires of all schedules that will fire."""
    known = rows.execute(
        "SELECT name, definition_json FROM schedules WHERE removed_at IS NULL AND enabled AND paused_note IS NULL "
        "AND next_run IS NOT NULL ORDER BY next_run, name LIMIT ?",
        (limit,),
    )
    found = []
    for name, text in known:
        schedule = readable(text)
        if schedule is None:
            continue
        try:
            instants = fires.upcoming(name, schedule.cron_expression, schedule.timezone, now, limit)
        except ScheduleError:
            continue  # its own page says what is wrong with it
        found += [Fire(at, name, schedule.timezone) for at in instants]
    return sorted(found, key=lambda fire: (fire.at, fire.schedule))[:limit]


def readable(definition_json: str) -> TrainingSchedule | None:
    """A schedule's definition, None if it cannot be read."""
    try:
        return TrainingSchedule.model_validate_json(definition_json)
    except ValidationError:
        return None


def decisions(rows: Rows, occurrence_id: int) -> list[Told]:
    """All decisions about one occurrence, in the order in which they were last taken."""
    found = rows.execute(
        "SELECT kind, code, reason, first_at, last_at, count FROM decisions WHERE occurrence_id = ? "
        "ORDER BY last_at, id",
        (occurrence_id,),
    )
    return [
        Told(row["kind"], row["code"], row["reason"], kept_instant(row["first_at"]), kept_instant(row["last_at"]),
             row["count"])
        for row in found
    ]  # fmt: skip


def occurrence(rows: Rows, occurrence_id: int) -> Occurrence | None:
    """One occurrence with its definition as it was."""
    row = rows.execute("SELECT * FROM occurrences WHERE id = ?", (occurrence_id,)).fetchone()
    return None if row is None else _occurrence(row)


def occurrences(rows: Rows, schedule: str, limit: int) -> list[Occurrence]:
    """The latest due times of a schedule, newest first."""
    ids = rows.execute(
        "SELECT id FROM occurrence_rows WHERE schedule_name = ? ORDER BY scheduled_for DESC LIMIT ?", (schedule, limit)
    )
    found = (occurrence(rows, row[0]) for row in ids.fetchall())
    return [item for item in found if item is not None]


def _waiting(row: Row) -> Waiting:
    return Waiting(
        occurrence_id=row["id"],
        schedule=row["schedule_name"],
        asked_by=row["trigger_name"] or row["trigger_type"],
        scheduled_for=kept_instant(row["scheduled_for"]),
        reason=row["reason"],
        not_before=from_microseconds(row["not_before"]),
        start_deadline=from_microseconds(row["start_deadline"]),
        attempt=row["attempt"],
        priority=row["priority"],
    )


def _occurrence(row: Row) -> Occurrence:
    return Occurrence(
        id=row["id"],
        schedule=row["schedule_name"],
        trigger_type=row["trigger_type"],
        trigger_name=row["trigger_name"],
        scheduled_for=kept_instant(row["scheduled_for"]),
        state=row["state"],
        reason=row["reason"],
        note=row["note"],
        attempt=row["attempt"],
        definition_json=row["definition_json"],
        created_at=kept_instant(row["created_at"]),
        finished_at=kept_instant(row["finished_at"]) if row["finished_at"] else None,
    )
