"""`ouroboros top`: what goes on, live in the terminal."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner import schedule_service, status
from runner.commands.client import open_store
from runner.commands.output import Column, console, executions, listing, when, win_rate
from runner.commands.status import headline
from runner.guards.gauges import Gauge, gauges_of
from runner.guards.probe import Probe
from runner.status import StatusReport
from runner.store.engine import Store
from runner.store.history import ExecutionRecord
from schemas.errors import OuroborosError
from schemas.machine import ResourceRequirements
from schemas.outside_text import line
from schemas.settings import Settings
from schemas.times import duration

_QUEUE_SHOWN, _FIRES_SHOWN, _RUNS_SHOWN = 5, 4, 6
_BAR_WIDTH = 30


@click.command()
@click.option("-i", "--interval", "interval_s", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True,
              help="Seconds between two looks.")  # fmt: skip
@click.option("--once", is_flag=True, help="One look, then end: so it is where the output is no terminal.")
def top(interval_s: float, once: bool) -> None:
    """Show live the machine against its limits, what runs, what waits and why, what comes next and ran last.

    Ctrl+C ends it.

    Example: ouroboros top -i 5
    """
    with open_store() as (settings, store), closing(Probe(settings.guards, settings.written_dirs)) as probe:
        probe.start()
        if once or not console.is_terminal:
            console.print(_screen(settings, store, probe, console.height))
            return
        store.close()
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(_looked(probe), refresh=True)
                time.sleep(interval_s)


def _looked(probe: Probe) -> RenderableType:
    """The screen, by the database that lies there now: it may have been restored or upgraded since the last look, and
    one that cannot be read just now may be there at the next."""
    try:
        with open_store() as (settings, store):
            return _screen(settings, store, probe, console.height)
    except OuroborosError as error:
        return Text(line(str(error)), style="yellow")


def _screen(settings: Settings, store: Store, probe: Probe, height: int) -> RenderableType:
    now = datetime.now(UTC)
    seen = status.read_status(store, settings.home, now)
    parts: list[RenderableType] = [Text.from_markup(headline(seen, now)), _machine(seen, probe, now)]
    parts += [Text.from_markup(f"[yellow]{escape(line(words))}[/]") for words in seen.clock]
    parts += [_run(record, now) for record in seen.current]
    parts += _waiting(seen)
    parts.append(_coming(seen, now))
    shown = max(1, min(_RUNS_SHOWN, height - 20))
    parts.append(executions(seen.recent[:shown], now))
    figures = seen.statistics
    parts.append(
        Text(
            f"{figures.total_executions:,} executions, {figures.successful_executions:,} succeeded, failure rate"
            f" {figures.failure_rate:.1%}; mail: {seen.mail.waiting:,} wait, {seen.mail.failed:,} given up"
        )
    )
    return Group(*parts)


def _machine(seen: StatusReport, probe: Probe, now: datetime) -> RenderableType:
    """The guards' figures against the limits of what starts next, as the first page shows them."""
    fires = schedule_service.coming_fires(seen.schedules, now, 1)
    name = seen.queued[0].schedule_name if seen.queued else fires[0][1] if fires else ""
    found = (item.readable for item in seen.schedules if item.name == name)
    schedule = next((item for item in found if item is not None), None)
    needs = schedule.resource_requirements if schedule is not None else ResourceRequirements()
    grid = Table.grid(padding=(0, 1))
    for gauge in gauges_of(probe.snapshot(now), needs):
        grid.add_row(gauge.name, *_figure(gauge))
    return grid


def _figure(gauge: Gauge) -> tuple[RenderableType, Text]:
    """A bar, and the figure with its limit; what cannot be had says why."""
    bound = "at least" if gauge.least else "at most"
    limit = "no limit" if gauge.limit is None else f"{bound} {gauge.limit:g} {gauge.unit}".strip()
    if gauge.value is None:
        return Text(""), Text(f"{line(gauge.problem, 120)}, {limit}")
    look = "red" if gauge.holds_back else "green"
    told = Text(f"{gauge.value:.1f} {gauge.unit}", style=look)
    told.append(f", {limit}{f'; {line(gauge.problem, 120)}' if gauge.problem else ''}", style="default")
    return ProgressBar(total=gauge.top, completed=gauge.value, width=_BAR_WIDTH, complete_style=look), told


def _run(record: ExecutionRecord, now: datetime) -> RenderableType:
    state = record.state
    speed = f", {state.games_per_second:.1f} games/s" if state.games_per_second else ""
    words = Text()
    words.append(f"run {record.execution_id} ", style="cyan")
    told = f"{state.total_games_processed:,} games{speed}, best win rate {win_rate(state)}"
    words.append(
        f"{record.schedule_name} ({record.worker}), {duration(now - record.started_at)}:"
        f" {state.current_phase or 'starting'}, iteration {state.iteration}, {told}"
    )
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        ProgressBar(total=100, completed=state.progress_percentage, width=_BAR_WIDTH),
        Text(f"{state.progress_percentage:.0f} %  {line(state.operation_details)}"),
    )
    return Group(words, grid)


def _waiting(seen: StatusReport) -> Iterator[RenderableType]:
    for run in seen.queued[:_QUEUE_SHOWN]:
        words = Text("waits ", style="yellow")
        words.append(f"{run.schedule_name}: {line(run.reason) or 'for its turn'}", style="default")
        yield words
    if seen.queue_depth > _QUEUE_SHOWN:
        yield Text(f"... and {seen.queue_depth - _QUEUE_SHOWN:,} more wait")


def _coming(seen: StatusReport, now: datetime) -> RenderableType:
    fires = schedule_service.coming_fires(seen.schedules, now, _FIRES_SHOWN)
    zones = {item.name: item.readable.timezone for item in seen.schedules if item.readable is not None}
    rows = ([name, when(at, now, zones[name])] for at, name in fires)
    return listing((Column("next", whole=True), Column("when, by its own clock", whole=True)), rows)
