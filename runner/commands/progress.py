"""The progress of the run under way, or what the next one waits for: one live line on a terminal, plain lines
elsewhere."""

import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.text import Text

from runner.commands.output import console, win_rate
from runner.store.history import ExecutionRecord
from schemas.automation import RunnerStatus
from schemas.execution import Decision, QueuedRun
from schemas.model import PipelineState

PLAIN_INTERVAL_S = 10.0
REFRESHES_PER_S = 4


def say(text: str, *, soft_wrap: bool | None = None, markup: bool | None = None) -> None:
    """Print for whoever looks on. A terminal that is gone, or a full disk under the output, must not end a daemon."""
    with suppress(OSError, ValueError):
        console.print(text, soft_wrap=soft_wrap, markup=markup)


class ProgressLine:
    """Told of every new state by the daemon's loop; shows it."""

    def __init__(self) -> None:
        self._live = Live(Text(""), console=console, refresh_per_second=REFRESHES_PER_S, transient=True)
        self._plain = not console.is_terminal
        self._printed_at_s = float("-inf")
        self._printed_for: tuple[int, str | None, int] | None = None
        self._idle_told: tuple[str, ...] = ()
        self.text = ""
        """The line as last shown; empty while nothing runs or waits."""

    def __enter__(self) -> Self:
        """Begin to show."""
        if not self._plain:
            with suppress(OSError):
                self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the live line away."""
        if not self._plain:
            with suppress(OSError):
                self._live.stop()

    def tell(self, execution: ExecutionRecord, state: PipelineState) -> None:
        """Show a state of a run."""
        self.text = describe(execution, state)
        self._idle_told = ()
        if not self._plain:
            self._live.update(Text(self.text))
            return
        shown = (execution.execution_id, state.current_phase, state.iteration)
        now_s = time.monotonic()
        if shown != self._printed_for or now_s - self._printed_at_s >= PLAIN_INTERVAL_S:
            say(self.text, soft_wrap=True, markup=False)
            self._printed_for, self._printed_at_s = shown, now_s

    def show_idle(self, status: RunnerStatus, waiting: tuple[QueuedRun, Decision] | None = None) -> None:
        """Nothing runs: say so, or what the next run waits for; once, and again when that is another thing."""
        if status is RunnerStatus.EXECUTING:
            return
        run, wait = waiting or (None, None)
        idle = (run.schedule_name, wait.code) if run and wait else (status.value,)
        if idle == self._idle_told:
            return
        self._idle_told, self._printed_for = idle, None
        self.text = f"{run.schedule_name} waits: {wait.reason}" if run and wait else ""
        if self._plain:
            say(self.text or f"The daemon is {status.value}.", soft_wrap=True, markup=False)
        else:
            self._live.update(Text(self.text or f"{status.value}: `ouroboros status` tells what comes next"))


def describe(execution: ExecutionRecord, state: PipelineState) -> str:
    """`run 3 continuous_learning | tuning, iteration 12 | 1,240 games, 61.0/s | best win rate 52.4 % [...]`."""
    speed = f", {state.games_per_second:.1f}/s" if state.games_per_second else ""
    parts = [
        f"run {execution.execution_id} {execution.schedule_name}",
        f"{state.current_phase or state.status.value}, iteration {state.iteration}",
        f"{state.total_games_processed:,} games{speed}",
        f"best win rate {win_rate(state)}",
    ]
    if state.operation_details:
        parts.append(state.operation_details)
    return " | ".join(parts)
