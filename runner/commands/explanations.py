"""`ouroboros why | next | explain`: in plain words, from the rows."""

from datetime import UTC, datetime

import click
from rich.table import Table

from runner import bookkeeping
from runner.commands.opening import opened
from runner.commands.tables import console, when
from runner.schedule import fires
from runner.schedule.describe import describe
from runner.store import decisions, history, occurrences, queue, schedules
from runner.store.decisions import DecisionRecord
from runner.store.occurrences import OccurrenceRecord
from schemas.errors import ScheduleError


@click.command()
@click.argument("name")
@click.option("-n", "--limit", default=5, show_default=True, help="How many occurrences.")
def why(name: str, limit: int) -> None:
    """Explain why the schedule or trigger NAME did or did not run."""
    now = datetime.now(UTC)
    with opened() as (_, store), store.read() as session:
        known = occurrences.recent(session, name, limit)
        record = schedules.get(session, name)
        if not known and record is None:
            raise ScheduleError("nothing of that name ever fell due", where=name, remedy="`ouroboros schedules`.")
        ahead = {run.occurrence_id: place for place, run in enumerate(queue.queued(session, 10_000))}
        story = [
            (
                item,
                decisions.of_occurrence(session, item.occurrence_id),
                history.of_occurrence(session, item.occurrence_id),
            )
            for item in known
        ]
    if record is not None:
        state = "is disabled" if not record.enabled else "is paused" if record.paused_note is not None else "is active"
        click.echo(f"{name} {state}; it fires next at {when(record.next_run, now)}.")
    for item, reasons, attempts in story:
        click.echo(_headline(item, ahead.get(item.occurrence_id), now))
        for reason in reasons:
            times = f", {reason.count} times since {reason.first_at:%H:%M:%S}" if reason.count > 1 else ""
            click.echo(
                f"    {reason.last_at:%Y-%m-%d %H:%M:%S}  {reason.decision.kind.value}: {reason.decision.reason}{times}"
            )
        for attempt in attempts:
            error = f": {attempt.error_message}" if attempt.error_message else ""
            click.echo(f"    run {attempt.execution_id}, attempt {attempt.attempt}: {attempt.status.value}{error}")


@click.command("next")
@click.option("-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many fires.")
def next_fires(limit: int) -> None:
    """List the coming fires of all schedules."""
    now = datetime.now(UTC)
    with opened() as (_, store), store.read() as session:
        records = schedules.list_active(session)
    table = Table("when (UTC)", "schedule")
    for instant, name in bookkeeping.coming_fires(records, now, limit):
        table.add_row(when(instant, now), name)
    console.print(table)


@click.command()
@click.argument("cron")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name, e.g. Europe/Berlin.")
@click.option("--name", default="example", show_default=True, help="The schedule's name: `H` fields depend on it.")
def explain(cron: str, timezone: str, name: str) -> None:
    """Say in English what a CRON line means, and when it fires next."""
    now = datetime.now(UTC)
    coming = fires.check(name, cron, timezone, now)
    click.echo(describe(cron, timezone, name))
    for instant in coming:
        click.echo(f"  {when(instant, now)}")


def _told(record: DecisionRecord) -> str:
    times = f", {record.count} times since {record.first_at:%H:%M:%S}" if record.count > 1 else ""
    decision = record.decision
    return f"{record.last_at:%Y-%m-%d %H:%M:%S}  {decision.kind.value}: {decision.reason}{times}"


def _headline(item: OccurrenceRecord, ahead: int | None, now: datetime) -> str:
    due = f"due {when(item.scheduled_for, now)}, by {item.trigger_type.value}"
    if ahead is not None and ahead > 0 and not item.reason:
        return f"  {due}: waits behind {ahead} others"
    into = f" into occurrence {item.coalesced_into}" if item.coalesced_into else ""
    reason = f": {item.reason}" if item.reason else ""
    return f"  {due}: {item.state.value}{into}{reason}"
