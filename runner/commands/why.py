"""`ouroboros why | next | explain`: in plain words, from the rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click
from sqlalchemy.orm import Session

from runner import schedule_service, status
from runner.commands.client import open_store
from runner.commands.completion import names
from runner.commands.output import Column, console, emit, formatted, listing, say, when
from runner.schedule import fires
from runner.schedule.describe import describe, seconds_first_warning
from runner.store import clock_changes, decisions, history, occurrences, queue, schedules, triggers
from runner.store.decisions import DecisionRecord
from runner.store.history import ExecutionRecord
from runner.store.occurrences import OccurrenceRecord
from runner.store.schedules import ScheduleRecord
from runner.store.triggers import TriggerRecord
from schemas.errors import ScheduleError
from schemas.outside_text import line
from schemas.times import to_text, wall_time

_Story = tuple[OccurrenceRecord, list[DecisionRecord], list[ExecutionRecord]]
"""A due time, what was decided about it, and its executions."""


@click.command()
@click.argument("name", shell_complete=names)
@click.option("-n", "--limit", default=5, show_default=True, type=click.IntRange(1, 10_000), help="How many due times.")
@formatted
def why(name: str, limit: int, as_json: bool) -> None:
    """Explain why the schedule or trigger NAME did or did not run.

    Example: ouroboros why nightly -n 20
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.read() as session:
        record, trigger = schedules.get(session, name), triggers.get(session, name)
        story = _story_of(session, name, trigger is not None, limit)
        if not story and record is None and trigger is None:
            raise ScheduleError(
                "nothing of that name ever fell due", where=name, remedy="`ouroboros schedules`, `ouroboros triggers`."
            )
        ahead = {run.occurrence_id: place for place, run in enumerate(queue.queued(session, 10_000))}
        clock = clock_changes.lately(session, now)
    if as_json:
        emit(_as_dictionary(name, record, trigger, story, clock))
        return
    for words in clock:
        click.echo(words)
    zone = record.readable.timezone if record is not None and record.readable is not None else "UTC"
    if record is not None:
        say(f"{name} {_standing(record)}; it fires next at {when(record.next_run, now, zone)}.")
    if trigger is not None:
        say(_trigger_told(trigger, now))
    for item, reasons, attempts in story:
        say(_headline(item, name, ahead.get(item.occurrence_id), now, zone))
        _say_what_followed(reasons, attempts, zone)


def _story_of(session: Session, name: str, is_trigger: bool, limit: int) -> list[_Story]:
    """The newest due times of a schedule, and of a trigger of that name, each with what became of it."""
    known = occurrences.recent(session, name, limit)
    if is_trigger:
        known = _newest([*known, *occurrences.recent_of_trigger(session, name, limit)], limit)
    return [
        (item, decisions.of_occurrence(session, item.occurrence_id), history.of_occurrence(session, item.occurrence_id))
        for item in known
    ]


def _say_what_followed(reasons: list[DecisionRecord], attempts: list[ExecutionRecord], zone: str) -> None:
    for reason in reasons:
        say(f"    {_told(reason, zone)}")
    for attempt in attempts:
        error = f": {line(attempt.error_message)}" if attempt.error_message else ""
        say(f"    run {attempt.execution_id}, attempt {attempt.attempt}: {attempt.status.value}{error}")


@click.command("next")
@click.option("-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many fires.")
@formatted
def next_fires(limit: int, as_json: bool) -> None:
    """List the coming fires of all schedules.

    Example: ouroboros next -n 3
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.read() as session:
        records = schedules.upcoming(session, now, limit)
        taken = clock_changes.recorded_ahead(session, now)
        clock = clock_changes.lately(session, now)
    coming = schedule_service.coming_fires(records, now, limit, taken)
    zones = {record.name: record.readable.timezone for record in records if record.readable is not None}
    if as_json:
        emit([{"at": to_text(at), "schedule": name, "timezone": zones[name]} for at, name in coming])
        return
    for words in clock:
        click.echo(words)
    columns = (Column("when, by its own clock", whole=True), Column("schedule", whole=True), Column("zone"))
    rows = ([when(instant, now, zones[name]), name, zones[name]] for instant, name in coming)
    console.print(listing(columns, rows))


@click.command()
@click.argument("cron")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name, e.g. Europe/Berlin.")
@click.option("--name", default="example", show_default=True, help="The schedule's name: `H` fields depend on it.")
@formatted
def explain(cron: str, timezone: str, name: str, as_json: bool) -> None:
    """Say in English what a CRON line means, and when it fires next.

    Example: ouroboros explain '0 9 * * mon-fri' --timezone Europe/Berlin
    """
    now = datetime.now(UTC)
    coming = fires.check(name, cron, timezone, now)
    if as_json:
        warning = seconds_first_warning(cron, timezone, name)
        emit({"words": describe(cron, timezone, name), "warning": warning, "fires": [to_text(at) for at in coming]})
        return
    click.echo(describe(cron, timezone, name))
    if warning := seconds_first_warning(cron, timezone, name):
        click.echo(warning)
    for instant in coming:
        click.echo(f"  {when(instant, now, timezone)}")


def _as_dictionary(
    name: str, record: ScheduleRecord | None, trigger: TriggerRecord | None, story: list[_Story], clock: list[str]
) -> dict[str, Any]:
    return {
        "name": name,
        "schedule": status.schedule_as_dictionary(record) if record else None,
        "trigger": status.trigger_as_dictionary(trigger) if trigger else None,
        "clock": clock,
        "story": [
            {
                "occurrence_id": item.occurrence_id,
                "schedule_name": item.schedule_name,
                "scheduled_for": to_text(item.scheduled_for),
                "state": item.state.value,
                "reason": item.reason,
                "decisions": [_decision(reason) for reason in reasons],
                "attempts": [status.execution_as_dictionary(attempt) for attempt in attempts],
            }
            for item, reasons, attempts in story
        ],
    }


def _decision(record: DecisionRecord) -> dict[str, Any]:
    told = {"first_at": to_text(record.first_at), "last_at": to_text(record.last_at), "count": record.count}
    return record.decision.model_dump(mode="json") | told


def _told(record: DecisionRecord, zone: str) -> str:
    times = f" ({record.count} times since {wall_time(record.first_at, zone)})" if record.count > 1 else ""
    decision = record.decision
    return f"{wall_time(record.last_at, zone)}  {decision.kind.value}: {decision.reason}{times}"


def _newest(items: list[OccurrenceRecord], limit: int) -> list[OccurrenceRecord]:
    """Each once: a trigger without a schedule gives its own name to its runs."""
    by_id = {item.occurrence_id: item for item in items}
    return sorted(by_id.values(), key=lambda item: item.occurrence_id, reverse=True)[:limit]


def _standing(record: ScheduleRecord | TriggerRecord) -> str:
    note = f": {record.paused_note}" if record.paused_note else ""
    if not record.enabled:
        return f"is disabled{note}"
    return "is active" if record.paused_note is None else f"is paused{note}"


def _trigger_told(trigger: TriggerRecord, now: datetime) -> str:
    condition, last = trigger.condition, trigger.last_triggered
    lines = [f"The trigger {trigger.name} {_standing(trigger)}; {condition.condition_function}."]
    if last is not None:
        left = timedelta(hours=condition.cooldown_hours) - (now - last)
        rest = f"; in its cooldown until {when(now + left, now)}" if last <= now and left > timedelta() else ""
        lines.append(f"  last fired {when(last, now)}{rest}")
    found = f": {trigger.last_verdict}" if trigger.last_verdict else ""
    lines.append(f"  last look {when(trigger.last_checked, now)}{found}")
    return "\n".join(lines)


def _headline(item: OccurrenceRecord, asked: str, ahead: int | None, now: datetime, zone: str) -> str:
    by = f"by {item.trigger_name or item.trigger_type.value}"
    due = f"due {when(item.scheduled_for, now, zone)}, {by}"
    if item.schedule_name != asked:
        due = f"{item.schedule_name}, {due}"
    if ahead is not None and ahead > 0 and not item.reason:
        return f"  {due}: waits behind {ahead} others"
    into = f" into occurrence {item.coalesced_into}" if item.coalesced_into else ""
    reason = f": {item.reason}" if item.reason else ""
    return f"  {due}: {item.state.value}{into}{reason}"
