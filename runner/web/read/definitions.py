"""Schedules and triggers as they stand: their definitions, when they fire, and their counters."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from runner.web.read.rows import Row, Rows
from schemas.automation import TrainingSchedule, TriggerCondition
from schemas.times import from_text

_Model = TypeVar("_Model", bound=BaseModel)
_COUNTERS = "run_count, success_count, failure_count"


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule that is not removed."""

    name: str
    definition: TrainingSchedule | None
    """None: its row cannot be read; save it anew."""
    enabled: bool
    paused_note: str | None
    """None: not paused."""
    next_run: datetime | None
    last_run: datetime | None
    run_count: int
    success_count: int
    failure_count: int


@dataclass(frozen=True, slots=True)
class TriggerView:
    """A trigger that is not removed."""

    name: str
    definition: TriggerCondition | None
    """None: its row cannot be read; save it anew."""
    enabled: bool
    paused_note: str | None
    last_checked: datetime | None
    last_triggered: datetime | None
    last_verdict: str
    run_count: int
    success_count: int
    failure_count: int


def is_there(rows: Rows, name: str) -> bool:
    """Whether a schedule or trigger has this name."""
    found = rows.execute(
        "SELECT 1 FROM schedules WHERE name = ? AND removed_at IS NULL UNION ALL "
        "SELECT 1 FROM triggers WHERE name = ? AND removed_at IS NULL",
        (name, name),
    )
    return found.fetchone() is not None


def schedules(rows: Rows, limit: int, after: str = "") -> list[ScheduleView]:
    """By name, those behind `after`."""
    found = rows.execute(
        f"SELECT name, definition_json, enabled, paused_note, next_run, last_run, {_COUNTERS} FROM schedules "  # noqa: S608
        "WHERE removed_at IS NULL AND name > ? ORDER BY name LIMIT ?",
        (after, limit),
    )
    return [_schedule(row) for row in found]


def schedule(rows: Rows, name: str) -> ScheduleView | None:
    """One by its name."""
    row = rows.execute(
        f"SELECT name, definition_json, enabled, paused_note, next_run, last_run, {_COUNTERS} FROM schedules "  # noqa: S608
        "WHERE removed_at IS NULL AND name = ?",
        (name,),
    ).fetchone()
    return None if row is None else _schedule(row)


def schedule_count(rows: Rows) -> int:
    """How many there are."""
    count: int = rows.execute("SELECT count(*) FROM schedules WHERE removed_at IS NULL").fetchone()[0]
    return count


def triggers(rows: Rows, limit: int, after: str = "") -> list[TriggerView]:
    """By name, those behind `after`."""
    found = rows.execute(
        f"SELECT name, definition_json, enabled, paused_note, last_checked, last_triggered, last_verdict, {_COUNTERS} "  # noqa: S608
        "FROM triggers WHERE removed_at IS NULL AND name > ? ORDER BY name LIMIT ?",
        (after, limit),
    )
    return [_trigger(row) for row in found]


def trigger(rows: Rows, name: str) -> TriggerView | None:
    """One by its name."""
    row = rows.execute(
        f"SELECT name, definition_json, enabled, paused_note, last_checked, last_triggered, last_verdict, {_COUNTERS} "  # noqa: S608
        "FROM triggers WHERE removed_at IS NULL AND name = ?",
        (name,),
    ).fetchone()
    return None if row is None else _trigger(row)


def _schedule(row: Row) -> ScheduleView:
    return ScheduleView(
        name=row["name"],
        definition=_read(TrainingSchedule, row["definition_json"]),
        enabled=bool(row["enabled"]),
        paused_note=row["paused_note"],
        next_run=_instant(row["next_run"]),
        last_run=_instant(row["last_run"]),
        run_count=row["run_count"],
        success_count=row["success_count"],
        failure_count=row["failure_count"],
    )


def _trigger(row: Row) -> TriggerView:
    return TriggerView(
        name=row["name"],
        definition=_read(TriggerCondition, row["definition_json"]),
        enabled=bool(row["enabled"]),
        paused_note=row["paused_note"],
        last_checked=_instant(row["last_checked"]),
        last_triggered=_instant(row["last_triggered"]),
        last_verdict=row["last_verdict"],
        run_count=row["run_count"],
        success_count=row["success_count"],
        failure_count=row["failure_count"],
    )


def _read(kind: type[_Model], text: str) -> _Model | None:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return None


def _instant(text: str | None) -> datetime | None:
    return from_text(text) if text else None
