"""How a run stands: the state that the daemon and the command line show."""

import time
from collections.abc import Callable
from datetime import datetime

import psutil

from pipeline.tuner.arena import RoundResult
from schemas.campaign import Checkpoint
from schemas.model import PipelineState, PipelineStatus

REPORT_EVERY_S = 0.25


class Progress:
    """Counts games and reports the state, not oftener than every quarter of a second unless something changed.

    Args:
        share_done: 0..1, for the progress bar; by time or by iterations.
    """

    def __init__(
        self, report: Callable[[PipelineState], None], now: Callable[[], datetime], share_done: Callable[[], float]
    ) -> None:
        self._report, self._now, self._share_done = report, now, share_done
        self._started = time.monotonic()
        psutil.cpu_percent(interval=None)  # the first call only sets the mark that the next one counts from
        self._last_report = 0.0
        self._score = 0.0
        self._rounds = 0
        self._phase = "starting"
        self._checkpoint: Checkpoint | None = None
        self.games = 0
        """Games of this run."""
        self.failed_games = 0
        self.last_error: str | None = None
        self.errors = 0
        self.consecutive_failures = 0

    def enter(self, phase: str, checkpoint: Checkpoint) -> None:
        """A new stage begins: `baseline`, `tuning`, `confirming`, `measuring`, `exploring`."""
        self._phase, self._checkpoint = phase, checkpoint
        self._score, self._rounds = 0.0, 0
        self.tell()

    def count(self, result: RoundResult) -> None:
        """A round was played."""
        self.games += result.games
        self.failed_games += result.failed_games
        self._score += result.scores[0]
        self._rounds += 1
        if time.monotonic() - self._last_report >= REPORT_EVERY_S:
            self.tell()

    def failed(self, message: str, consecutive: int) -> None:
        """A candidate could not be measured."""
        self.last_error, self.errors, self.consecutive_failures = message, self.errors + 1, consecutive
        self.tell()

    @property
    def games_per_second(self) -> float:
        """Games of this run over its whole duration, builds included."""
        return self.games / max(time.monotonic() - self._started, 1e-9)

    def tell(self) -> None:
        """Report now."""
        self._last_report = time.monotonic()
        self._report(self.state(PipelineStatus.CONTINUOUS_TRAINING))

    def state(self, status: PipelineStatus) -> PipelineState:
        """The state as it stands."""
        checkpoint = self._checkpoint
        best = checkpoint.best if checkpoint else None
        return PipelineState(
            status=PipelineStatus.EVALUATING if self._phase == "baseline" and status is _RUNNING else status,
            current_phase=self._phase,
            champion_model=checkpoint.best_hash[:12] if checkpoint else None,
            best_model_version=checkpoint.best_hash[:12] if checkpoint else None,
            progress_percentage=100 * min(max(self._share_done(), 0.0), 1.0),
            total_training_time_hours=(time.monotonic() - self._started) / 3600,
            total_games_processed=self.games,
            total_models_trained=checkpoint.accepted if checkpoint else 0,
            best_win_rate=best.win_rate if best else 0,
            best_win_rate_low=best.low if best else None,
            best_win_rate_high=best.high if best else None,
            best_win_rate_games=best.games if best else 0,
            operation_details=self._details(),
            iteration=checkpoint.iteration if checkpoint else 0,
            games_per_second=self.games_per_second if self.games else None,
            seed=checkpoint.seed if checkpoint else None,
            last_error=self.last_error,
            error_count=self.errors,
            consecutive_failures=self.consecutive_failures,
            cpu_usage_percent=self._cpu_percent(),
            memory_usage_percent=psutil.virtual_memory().percent,
            updated_at=self._now(),
        )

    def _cpu_percent(self) -> float | None:
        """Since the state before; None at first, when there is nothing to compare with."""
        if time.monotonic() - self._started < REPORT_EVERY_S:
            return None
        return psutil.cpu_percent(interval=None)

    def _details(self) -> str:
        if self._checkpoint is None:
            return "starting"
        number = self._checkpoint.iteration + 1
        place = "baseline" if self._phase == "baseline" else f"iteration {number}, {self._phase}"
        score = f", {self._score / self._rounds:.1%} after {2 * self._rounds} games" if self._rounds else ""
        return place + score


_RUNNING = PipelineStatus.CONTINUOUS_TRAINING
