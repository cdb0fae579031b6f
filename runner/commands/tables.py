"""How records look in a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from runner.notify.compose import duration
from runner.store.history import ExecutionRecord
from schemas.model import PipelineState

PLAIN_WIDTH = 180
"""Columns where the output is no terminal: a file or another program reads it, and nothing should be cut."""
console = Console(highlight=False)
if not console.is_terminal:
    console.width = PLAIN_WIDTH
_COLOURS = {"succeeded": "green", "running": "cyan", "starting": "cyan", "cancelled": "yellow"}


def when(instant: datetime | None, now: datetime) -> str:
    """`2026-11-21 20:30 (in 12 min)`."""
    if instant is None:
        return "-"
    gap = instant - now
    words = f"in {duration(gap)}" if gap.total_seconds() >= 0 else f"{duration(-gap)} ago"
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} ({words})"


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
    table = Table("run", "schedule", "asked by", "started", "took", "status", "best win rate", "games", "why / error")
    for record in records:
        colour = _COLOURS.get(record.status.value, "red")
        ended = record.completed_at or now
        table.add_row(
            str(record.execution_id),
            record.schedule_name,
            record.trigger_type.value,
            f"{record.started_at:%Y-%m-%d %H:%M:%S}",
            duration(ended - record.started_at),
            f"[{colour}]{record.status.value}[/]",
            win_rate(record.state),
            f"{record.state.total_games_processed:,}",
            record.error_message or record.state.operation_details or record.worker_reason,
        )
    return table
