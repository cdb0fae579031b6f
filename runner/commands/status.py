"""`ouroboros status` and `ouroboros history`: what the daemon does, what comes next, what ran."""

import json
import socket
from datetime import UTC, datetime

import click
from rich.markup import escape

from runner.commands.client import open_store
from runner.commands.output import (
    SCHEDULE_COLUMNS,
    console,
    emit,
    executions,
    formatted,
    listing,
    schedule_row,
    when,
    win_rate,
)
from runner.status import StatusReport, as_dictionary, execution_as_dictionary, read_status
from runner.store import history as rows
from runner.store.heartbeat import DaemonRecord
from schemas.outside_text import line


@click.command()
@click.option("--check", is_flag=True, help="Only the first line; exit 1 unless a daemon lives and gives signs of it.")
@formatted
def status(as_json: bool, check: bool) -> None:
    """Show what the daemon does, what waits and why, what comes next and what ran last.

    Example: ouroboros status --format json
    """
    now = datetime.now(UTC)
    with open_store() as (settings, store):
        seen = read_status(store, settings.home, None if as_json else now)
    if as_json:
        emit(as_dictionary(seen))
    elif check:
        console.print(headline(seen, now))
    else:
        _print(seen, now)
    if check and (seen.daemon is None or not seen.alive or seen.silence):
        raise click.exceptions.Exit(1)


def _print(seen: StatusReport, now: datetime) -> None:
    console.print(headline(seen, now))
    _print_notes(seen, now)
    _print_runs(seen)
    in_order = sorted(seen.schedules, key=lambda item: (item.next_run is None, item.next_run or now))
    console.print(listing(SCHEDULE_COLUMNS, (schedule_row(item, now) for item in in_order)))
    if seen.schedule_count > len(seen.schedules):
        console.print(f"... of {seen.schedule_count:,} schedules; `ouroboros schedules` lists them all")
    console.print(executions(seen.recent, now))
    figures = seen.statistics
    console.print(
        f"{figures.total_executions:,} executions, {figures.successful_executions:,} succeeded,"
        f" failure rate {figures.failure_rate:.1%}, mean duration {figures.average_execution_time_hours:.2f} h"
    )


def _print_notes(seen: StatusReport, now: datetime) -> None:
    """What needs somebody, or is unlike every day."""
    if seen.mail.waiting + seen.mail.failed:
        console.print(
            f"[yellow]mail[/] {seen.mail.waiting:,} messages wait and {seen.mail.failed:,} were given up:"
            f" {escape(line(seen.mail.reason))} `ouroboros notify waiting` lists them, `notify retry` tries again."
        )
    for waiting_daemon in seen.stand_by:
        console.print(f"[cyan]stand-by[/] {escape(line(waiting_daemon))} takes over when this one ends.")
    for words in seen.clock:
        console.print(f"[yellow]{escape(words)}[/]")
    if seen.arena is not None:
        left = f", {seen.arena.waiting:,} wait" if seen.arena.waiting else ""
        trouble = f" [yellow]{escape(line(seen.arena.trouble))}[/]" if seen.arena.trouble else ""
        console.print(
            f"[cyan]Arena[/] {seen.arena.games:,} games fetched {when(seen.arena.ended_at, now)}{left}.{trouble}"
        )


def _print_runs(seen: StatusReport) -> None:
    """What runs, and what waits with its reason."""
    for run in seen.current:
        state = run.state
        speed = f", {state.games_per_second:.1f} games/s" if state.games_per_second else ""
        console.print(
            f"[cyan]run {run.execution_id}[/] of {run.schedule_name} ({escape(run.worker)}):"
            f" {escape(state.current_phase or 'starting')}, iteration {state.iteration},"
            f" {state.total_games_processed:,} games{speed}, best win rate {win_rate(state)}"
        )
    for waiting in seen.queued:
        console.print(f"[yellow]waits[/] {waiting.schedule_name}: {escape(line(waiting.reason)) or 'for its turn'}")
    if seen.queue_depth > len(seen.queued):
        console.print(f"... and {seen.queue_depth - len(seen.queued):,} more wait")


def headline(seen: StatusReport, now: datetime) -> str:
    """What the daemon does, in one line of markup."""
    if seen.daemon is None or not seen.alive:
        return "[red]No daemon is running.[/] `ouroboros up` starts one."
    if seen.silence:
        return f"[red]The daemon (process {seen.daemon.pid}) lives, but gave {escape(seen.silence)}.[/] See its log."
    paused = f" [yellow]Paused{': ' if seen.daemon.paused_note else ''}{escape(line(seen.daemon.paused_note))}.[/]"
    return (
        f"[green]The daemon is {seen.status.value}[/] (process {_who(seen.daemon)}, up since"
        f" {when(seen.daemon.started_at, now)}).{paused if seen.paused else ''}"
    )


def _who(daemon: DaemonRecord) -> str:
    """Its process, and its machine where that is not this one."""
    elsewhere = f" on {escape(line(daemon.host))}" if daemon.host != socket.gethostname() else ""
    return f"{daemon.pid}{elsewhere}"


@click.command()
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@click.option("--schedule", "schedule_name", help="Only the runs of this schedule.")
@formatted
def history(limit: int, schedule_name: str | None, as_json: bool) -> None:
    """List the latest executions, newest first; as JSON, one a line.

    Example: ouroboros history -n 50 --schedule nightly
    """
    with open_store() as (_, store), store.read() as session:
        records = rows.recent(session, limit, schedule_name)
    if as_json:
        for record in records:
            click.echo(json.dumps(execution_as_dictionary(record)))
        return
    console.print(executions(records, datetime.now(UTC)))
