"""How commands show records: tables for a person, JSON for programs."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.store.history import ExecutionRecord
from runner.store.schedules import ScheduleRecord
from runner.worker.run_folder import RunDir
from schemas.model import PipelineState
from schemas.outside_text import REASON_LIMIT, line, passage
from schemas.times import duration, wall_time

PLAIN_WIDTH = 180
"""Columns where the output is no terminal: a file or another program reads it, and nothing should be cut."""
NARROW = 120
CELL_LIMIT = 500
"""Characters of a cell."""
_COLOURS = {"succeeded": "green", "running": "cyan", "starting": "cyan", "cancelled": "yellow"}
_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Console(Console):
    """Rich ends the program where nobody reads any more; here the command line decides that, and a daemon goes on."""

    def on_broken_pipe(self) -> None:
        """Called while the error is handled."""
        raise  # noqa: PLE0704


console = _Console(highlight=False)
if not console.is_terminal:
    console.width = PLAIN_WIDTH


def when(instant: datetime | None, now: datetime, timezone: str = "UTC") -> str:
    """`2026-11-21 20:30:00 +01:00 (in 12 min)`: the wall time of that zone."""
    if instant is None:
        return "-"
    gap = instant - now
    words = f"in {duration(gap)}" if gap.total_seconds() >= 0 else f"{duration(-gap)} ago"
    return f"{wall_time(instant, timezone)} ({words})"


def soon(instant: datetime | None, now: datetime, timezone: str = "UTC") -> str:
    """As `when`; on a narrow terminal only `in 12 min`."""
    told = when(instant, now, timezone)
    return told.partition("(")[2].removesuffix(")") or told if is_narrow() else told


def is_narrow() -> bool:
    """There is no room for every column."""
    return console.width < NARROW


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a listing."""

    title: str
    wide_only: bool = False
    """Left out on a narrow terminal."""
    whole: bool = False
    """Neither cut nor wrapped: a name that the reader may want to type."""


def listing(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table that fits the terminal. Texts are shown as they are: what looks like markup in them is none."""
    shown = [number for number, column in enumerate(columns) if not (column.wide_only and is_narrow())]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number in shown:
        table.add_column(columns[number].title, no_wrap=columns[number].whole, overflow="fold")
    for row in rows:
        cells = [row[number] for number in shown]
        table.add_row(*(cell if isinstance(cell, Text) else Text(passage(cell, CELL_LIMIT)) for cell in cells))
    return table


def win_rate(state: PipelineState) -> str:
    """`56.1 % [53.0, 59.1] / 1,000 games`, or `-` while nothing was measured."""
    if state.best_win_rate_games == 0:
        return "-"
    interval = ""
    if state.best_win_rate_low is not None and state.best_win_rate_high is not None:
        interval = f" [{100 * state.best_win_rate_low:.1f}, {100 * state.best_win_rate_high:.1f}]"
    return f"{100 * state.best_win_rate:.1f} %{interval} / {state.best_win_rate_games:,} games"


def executions(records: Sequence[ExecutionRecord], now: datetime) -> Table | str:
    """The history as a table; words where there is none yet."""
    if not records:
        return "Nothing has run yet."
    return listing(_EXECUTION_COLUMNS, (_execution(record, now) for record in records))


_EXECUTION_COLUMNS = (
    Column("run", whole=True),
    Column("schedule", whole=True),
    Column("asked by", wide_only=True),
    Column("started (UTC)", whole=True),
    Column("took", wide_only=True),
    Column("status", whole=True),
    Column("best win rate"),
    Column("games", wide_only=True),
    Column("why / error", wide_only=True),
)


def _execution(record: ExecutionRecord, now: datetime) -> list[str | Text]:
    ended = record.completed_at or now
    started = f"{record.started_at:%m-%d %H:%M}" if is_narrow() else f"{record.started_at:%Y-%m-%d %H:%M:%S}"
    return [
        str(record.execution_id),
        record.schedule_name,
        record.trigger_type.value,
        started,
        duration(ended - record.started_at),
        Text(record.status.value, style=_COLOURS.get(record.status.value, "red")),
        win_rate(record.state),
        f"{record.state.total_games_processed:,}",
        passage(_why(record), CELL_LIMIT, str(RunDir(record.run_dir).log_path)),
    ]


def _why(record: ExecutionRecord) -> str:
    return record.error_message or record.state.operation_details or record.worker_reason


def say(text: str) -> None:
    """Print lines that hold text from rows: safe, whoever wrote them, and none of them endless."""
    for each in text.split("\n"):
        click.echo(line(each, REASON_LIMIT))


def formatted(command: _Command) -> _Command:
    """Give a command `--format text|json` and its shorter form `--json`; it is handed `as_json`."""
    short = click.option("--json", "as_json", is_flag=True, is_eager=True, help="Short for `--format json`.")
    long = click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        expose_value=False,
        callback=_set,
        help="`json`: for programs.",
    )
    return long(short(command))


def _set(context: click.Context, _parameter: click.Parameter, form: str) -> None:
    if form == "json":  # `--json` is eager: it was read before
        context.params["as_json"] = True


def emit(value: object) -> None:
    """One JSON value, for people to read as well; what JSON does not know (bytes that were put into a row) as text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return line(value if isinstance(value, bytes) else str(value), REASON_LIMIT)


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
