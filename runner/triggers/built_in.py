"""The built-in conditions that look at counts, clocks, resources and files. Each is bounded in what it reads."""

from datetime import datetime, timedelta
from pathlib import Path

from pydantic import Field

from runner.triggers.context import ConditionContext, ConditionVerdict, load_cursor
from runner.triggers.trigger_files import trigger_file_waits
from schemas.automation import NAME_PATTERN
from schemas.base import Frozen
from schemas.execution import Outcome
from schemas.machine import ResourceSnapshot
from schemas.times import to_text


class NewDataParameters(Frozen):
    """Of `check_new_data_threshold`."""

    min_games: int = Field(default=1000, ge=1)


class _GamesAtLastFiring(Frozen):
    games: int


def check_new_data_threshold(context: ConditionContext) -> ConditionVerdict:
    """Fires when `min_games` games have arrived in the games folder since it last fired."""
    wanted = NewDataParameters.model_validate(dict(context.parameters)).min_games
    total = context.view.games_counted()
    memory = load_cursor(_GamesAtLastFiring, context.cursor)
    since = min(memory.games, total) if memory else 0
    told = f"{total - since} new games since it last fired, {wanted} wanted"
    if total - since < wanted:
        return ConditionVerdict(False, told, _GamesAtLastFiring(games=since).model_dump_json())
    return ConditionVerdict(True, told, _GamesAtLastFiring(games=total).model_dump_json())


class ScheduleOverdueParameters(Frozen):
    """Of `check_schedule_overdue`."""

    overdue_minutes: float = Field(default=60, gt=0)
    schedule: str | None = Field(default=None, pattern=NAME_PATTERN)
    """None: any schedule."""


class _Reported(Frozen):
    occurrences: list[str]


def check_schedule_overdue(context: ConditionContext) -> ConditionVerdict:
    """Fires when a run is due for longer than `overdue_minutes` and has not started; once per occurrence."""
    wanted = ScheduleOverdueParameters.model_validate(dict(context.parameters))
    found = context.view.overdue(context.now - timedelta(minutes=wanted.overdue_minutes))
    late = [run for run in found if wanted.schedule in {None, run.schedule_name}]
    keys = [f"{run.schedule_name} {to_text(run.scheduled_for)}" for run in late]
    memory = load_cursor(_Reported, context.cursor)
    news = [key for key in keys if memory is None or key not in memory.occurrences]
    cursor = _Reported(occurrences=keys).model_dump_json()
    if not news:
        return ConditionVerdict(False, f"no further run is {wanted.overdue_minutes:g} minutes overdue", cursor)
    return ConditionVerdict(True, f"due and not started for {wanted.overdue_minutes:g} minutes: {news[0]}", cursor)


class ResourceParameters(Frozen):
    """Of `check_resource_availability`."""

    min_free_memory_gb: float = Field(default=4, ge=0)
    min_free_disk_gb: float = Field(default=10, ge=0)
    max_cpu_usage_percent: float = Field(default=50, gt=0, le=100)
    min_minutes: float = Field(default=10, ge=0)
    """All of it must have been so, at every look, for this long."""


class _FreeSince(Frozen):
    since: datetime | None


def check_resource_availability(context: ConditionContext) -> ConditionVerdict:
    """Fires when the machine has been free for `min_minutes`; then the minutes count anew."""
    wanted = ResourceParameters.model_validate(dict(context.parameters))
    shortage = _shortage(wanted, context.view.resources())
    if shortage:
        return ConditionVerdict(False, shortage, _FreeSince(since=None).model_dump_json())
    memory = load_cursor(_FreeSince, context.cursor)
    since = memory.since if memory and memory.since and memory.since <= context.now else context.now
    minutes = (context.now - since).total_seconds() / 60
    told = f"the machine has been free for {minutes:.1f} minutes, {wanted.min_minutes:g} wanted"
    fired = minutes >= wanted.min_minutes
    return ConditionVerdict(fired, told, _FreeSince(since=None if fired else since).model_dump_json())


def _shortage(wanted: ResourceParameters, machine: ResourceSnapshot | None) -> str:
    """What is short, in words; empty if nothing is."""
    if machine is None or machine.cpu_usage_percent is None:
        return "the machine has not been measured long enough"
    if machine.free_memory_gb is None or machine.free_disk_gb is None:
        return f"not measured: {', '.join(f'{item.figure} ({item.reason})' for item in machine.unmeasured)}"
    if machine.free_memory_gb < wanted.min_free_memory_gb:
        return f"{machine.free_memory_gb:.1f} GB of memory free, {wanted.min_free_memory_gb:g} wanted"
    if machine.free_disk_gb < wanted.min_free_disk_gb:
        return f"{machine.free_disk_gb:.1f} GB of disk free, {wanted.min_free_disk_gb:g} wanted"
    if machine.cpu_usage_percent > wanted.max_cpu_usage_percent:
        return f"CPU at {machine.cpu_usage_percent:.0f} %, at most {wanted.max_cpu_usage_percent:g} % wanted"
    return ""


class TriggerFileParameters(Frozen):
    """Of `check_manual_trigger_file`."""

    trigger_file: Path = Path("trigger_training.txt")
    """Relative to the working folder."""


class _FileSeen(Frozen):
    inode: int
    mtime_ns: int
    size: int


def check_manual_trigger_file(context: ConditionContext) -> ConditionVerdict:
    """Fires when the trigger file is there, once for each file. It only looks: `trigger_files` claims the file."""
    path = context.working_dir / TriggerFileParameters.model_validate(dict(context.parameters)).trigger_file
    if not trigger_file_waits(path, context.now):
        return ConditionVerdict(False, f"{path.name} is not there, or was written to just now", context.cursor)
    try:
        status = path.stat()
    except FileNotFoundError:
        return ConditionVerdict(False, f"{path.name} has gone again", context.cursor)
    seen = _FileSeen(inode=status.st_ino, mtime_ns=status.st_mtime_ns, size=status.st_size)
    if load_cursor(_FileSeen, context.cursor) == seen:
        return ConditionVerdict(False, f"{path.name} has fired already", context.cursor)
    return ConditionVerdict(True, f"{path.name} is there", seen.model_dump_json())


class ScheduleEndedParameters(Frozen):
    """Of `check_schedule_ended`."""

    schedule: str = Field(pattern=NAME_PATTERN)
    outcome: Outcome | None = Outcome.SUCCEEDED
    """None: however it ended."""


class _LookedAt(Frozen):
    up_to: int
    """Runs up to this id are dealt with."""
    beyond: list[int]
    """And these, which ended before a run with a lower id did."""


def check_schedule_ended(context: ConditionContext) -> ConditionVerdict:
    """Fires when a run of `schedule` has ended with `outcome` since the last look; runs before the first look count
    for nothing."""
    wanted = ScheduleEndedParameters.model_validate(dict(context.parameters))
    memory = load_cursor(_LookedAt, context.cursor)
    ended = context.view.ended_after(memory.up_to if memory else None)
    news = [run for run in ended.runs if memory is not None and run.execution_id not in memory.beyond]
    beyond = [run.execution_id for run in ended.runs if run.execution_id > ended.all_ended_up_to]
    cursor = _LookedAt(up_to=ended.all_ended_up_to, beyond=beyond).model_dump_json()
    hits = [run for run in news if run.schedule_name == wanted.schedule and wanted.outcome in {None, run.outcome}]
    if not hits:
        how = f" as {wanted.outcome.value}" if wanted.outcome else ""
        return ConditionVerdict(False, f"no further run of {wanted.schedule} has ended{how}", cursor)
    last = hits[-1]
    return ConditionVerdict(True, f"run {last.execution_id} of {wanted.schedule} ended: {last.outcome.value}", cursor)
