"""Executions: the latest, those that fit a filter, one with all that is known of it, the end of its log."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from runner.web.read.rows import Row, Rows
from schemas.execution import ResourceUsage
from schemas.model import PipelineState
from schemas.outside_text import passage
from schemas.times import kept_instant, to_text

REACH, SLICE = 200_000, 10_000
"""Rows that one look for a rare kind goes through, and those of each step of it; the page then offers to look further
back."""
TAIL_BYTES = 12_000
LOOK_S = 0.12
"""A look ends with the step in which this has passed: a disk that has to be read anew goes less far at once."""
_COLUMNS = (
    "id, occurrence_id, schedule_name, trigger_type, trigger_name, scheduled_for, started_at, completed_at, status, "
    "error_message, failure_class, pipeline_state_json, resource_usage_json, worker, worker_reason, attempt, seed, "
    "run_dir, progress_at"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One execution as it stands."""

    id: int
    occurrence_id: int
    schedule: str
    trigger_type: str
    trigger_name: str | None
    scheduled_for: datetime
    started_at: datetime
    completed_at: datetime | None
    status: str
    error: str | None
    failure_class: str | None
    state: PipelineState
    usage: ResourceUsage | None
    worker: str
    worker_reason: str
    attempt: int
    seed: int
    folder: Path
    progress_at: datetime | None

    @property
    def under_way(self) -> bool:
        """It has not ended."""
        return self.completed_at is None

    def took_s(self, now: datetime) -> float:
        """How long it ran, or runs."""
        return ((self.completed_at or now) - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which executions; empty fields let everything through."""

    schedule: str = ""
    trigger: str = ""
    """A trigger type (`scheduled`, `manual`, ...), or a trigger's name."""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """Only ids below this one: the next page."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some executions, newest first."""

    runs: list[Run]
    before: int | None
    """Where the next page begins; None: there is none."""
    searched_to: int | None = None
    """Not None: nothing of the rest was looked at, and the next page goes on there."""
    looked: int = 0
    """Ids that were gone through until there."""


def find(rows: Rows, wanted: RunFilter, limit: int) -> RunPage:
    """The newest executions that fit. It goes through at most REACH rows, for about LOOK_S; where that did not do, the
    page says so."""
    top = wanted.before or (rows.execute("SELECT max(id) FROM execution_rows").fetchone()[0] or 0) + 1
    oldest = rows.execute("SELECT min(id) FROM execution_rows").fetchone()[0] or 0
    floor, deadline_s = max(oldest, top - REACH), time.monotonic() + LOOK_S
    ids: list[int] = []
    low = top
    while low > floor and len(ids) <= limit and (low == top or time.monotonic() < deadline_s):
        high, low = low, max(floor, low - SLICE)
        ids += _slice(rows, wanted, high, low, limit + 1 - len(ids))
    found = _of_ids(rows, ids[:limit])
    if len(ids) > limit:
        return RunPage(found, ids[limit - 1])
    return RunPage(found, None) if low <= oldest else RunPage(found, low, searched_to=low, looked=top - low)


def _slice(rows: Rows, wanted: RunFilter, high: int, low: int, limit: int) -> list[int]:
    """Ids below `high` from `low` on that fit, newest first."""
    where, values = _conditions(wanted, ["id < ?", "id >= ?"], [high, low])
    statement = f"SELECT id FROM execution_rows WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return [row[0] for row in rows.execute(statement, (*values, limit))]


def one(rows: Rows, run_id: int) -> Run | None:
    """One execution."""
    found = _of_ids(rows, [run_id])
    return found[0] if found else None


def under_way(rows: Rows) -> list[Run]:
    """What runs, oldest first."""
    ids = rows.execute("SELECT id FROM execution_rows WHERE completed_at IS NULL ORDER BY started_at LIMIT 64")
    return sorted(_of_ids(rows, [row[0] for row in ids]), key=lambda run: run.started_at)


def latest(rows: Rows, limit: int) -> list[Run]:
    """The newest executions, whatever became of them."""
    ids = rows.execute("SELECT id FROM execution_rows ORDER BY id DESC LIMIT ?", (limit,))
    return _of_ids(rows, [row[0] for row in ids])


def before(rows: Rows, run: Run) -> Run | None:
    """The execution of the same schedule before this one."""
    row = rows.execute(
        "SELECT max(id) FROM execution_rows WHERE schedule_name = ? AND id < ?", (run.schedule, run.id)
    ).fetchone()
    return one(rows, row[0]) if row[0] is not None else None


def attempts(rows: Rows, occurrence_id: int) -> list[Run]:
    """All executions of one occurrence, in order."""
    ids = rows.execute("SELECT id FROM execution_rows WHERE occurrence_id = ? ORDER BY id", (occurrence_id,))
    return _of_ids(rows, [row[0] for row in ids])[::-1]


def _conditions(wanted: RunFilter, where: list[str], values: list[int | str]) -> tuple[list[str], list[int | str]]:
    if wanted.schedule:
        where, values = [*where, "schedule_name = ?"], [*values, wanted.schedule]
    if wanted.trigger:
        where, values = [*where, "(trigger_type = ? OR trigger_name = ?)"], [*values, wanted.trigger, wanted.trigger]
    if wanted.outcome:
        where, values = [*where, "status = ?"], [*values, wanted.outcome]
    if wanted.since is not None:
        where, values = [*where, "started_at >= ?"], [*values, to_text(wanted.since)]
    if wanted.until is not None:
        where, values = [*where, "started_at < ?"], [*values, to_text(wanted.until)]
    return where, values


def _of_ids(rows: Rows, ids: list[int]) -> list[Run]:
    """Newest first."""
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    found = rows.execute(f"SELECT {_COLUMNS} FROM executions WHERE id IN ({marks}) ORDER BY id DESC", ids)  # noqa: S608
    return [_run(row) for row in found]


def _run(row: Row) -> Run:
    return Run(
        id=row["id"],
        occurrence_id=row["occurrence_id"],
        schedule=row["schedule_name"],
        trigger_type=row["trigger_type"],
        trigger_name=row["trigger_name"],
        scheduled_for=kept_instant(row["scheduled_for"]),
        started_at=kept_instant(row["started_at"]),
        completed_at=kept_instant(row["completed_at"]) if row["completed_at"] else None,
        status=row["status"],
        error=row["error_message"],
        failure_class=row["failure_class"],
        state=_state(row["pipeline_state_json"]),
        usage=_usage(row["resource_usage_json"]),
        worker=row["worker"],
        worker_reason=row["worker_reason"],
        attempt=row["attempt"],
        seed=row["seed"],
        folder=Path(row["run_dir"]),
        progress_at=kept_instant(row["progress_at"]) if row["progress_at"] else None,
    )


def _state(text: str) -> PipelineState:
    """A row that somebody damaged says so in place of its state, and hides no other."""
    try:
        return PipelineState.model_validate_json(text)
    except ValidationError:
        return PipelineState(operation_details="this row's state cannot be read")


def _usage(text: str | None) -> ResourceUsage | None:
    try:
        return ResourceUsage.model_validate_json(text) if text else None
    except ValidationError:
        return None


def tail(path: Path, lines: int, within: Path) -> list[str]:
    """The last lines of a file, safe to show; none where there is no such file, or it lies outside `within`."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(within.resolve()) or not real.is_file():
            return []
        with real.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - TAIL_BYTES))
            data = handle.read(TAIL_BYTES)
    except OSError:
        return []
    if size > TAIL_BYTES:
        data = data.partition(b"\n")[2]
    return passage(data, TAIL_BYTES).splitlines()[-lines:]
