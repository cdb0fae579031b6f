"""Schedules and triggers as they stand: their definitions, when they fire, their counters, and who changed them."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from runner.web.read.news import AskedCommand, asked_of
from runner.web.read.rows import Row, Rows
from schemas.automation import TrainingSchedule, TriggerCondition
from schemas.times import kept_instant

_Model = TypeVar("_Model", bound=BaseModel)
EDITS_LOOKED_AT = 2_000
"""Wishes, the newest, among which those about one name are sought."""
VERSIONS_LOOKED_AT = 5_000
"""Due times, the newest, whose definitions are told apart."""
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
    return kept_instant(text) if text else None


def edits(rows: Rows, kind: str, name: str, limit: int) -> list[AskedCommand]:
    """What was asked about a schedule or trigger, the newest first, among the last EDITS_LOOKED_AT wishes.

    Args:
        kind: `schedule` or `trigger`.
    """
    found = rows.execute(
        "SELECT * FROM (SELECT * FROM commands ORDER BY id DESC LIMIT ?) AS newest WHERE verb LIKE ? ESCAPE '!' "
        "ORDER BY id DESC",
        (EDITS_LOOKED_AT, f"%!_{kind}"),
    )
    return list(islice((asked_of(row) for row in found if _is_about(row["arguments_json"], kind, name)), limit))


def versions(rows: Rows, name: str, limit: int) -> list[tuple[datetime, str]]:
    """Definitions that a schedule's runs were recorded under, the newest first, with the first due time of each."""
    found = rows.execute(
        "SELECT min(scheduled_for) AS first, definition_json FROM "
        "(SELECT scheduled_for, definition_id FROM occurrence_rows WHERE schedule_name = ? ORDER BY scheduled_for DESC "
        "LIMIT ?) AS o JOIN definitions AS d ON d.id = o.definition_id GROUP BY d.id, d.definition_json "
        "ORDER BY first DESC LIMIT ?",
        (name, VERSIONS_LOOKED_AT, limit),
    )
    return [(kept_instant(row[0]), row[1]) for row in found]


def _is_about(arguments_json: str, kind: str, name: str) -> bool:
    """A definition is given whole, under its kind; any other wish names it."""
    try:
        tree = orjson.loads(arguments_json)
    except ValueError:
        return False
    whole = tree.get(kind) if isinstance(tree, dict) else None
    return isinstance(tree, dict) and name in (tree.get("name"), whole.get("name") if isinstance(whole, dict) else None)
