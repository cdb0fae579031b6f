"""When a run is to stop: first asked to finish what it is at, soon after made to drop it."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType

from schemas.execution import RunRequest

GRACE_S = 4.0
"""An iteration gets so long to finish after the request; the rest of the promised 10 s is for saving."""


SAME_REQUEST_S = 1.0
"""Signals closer together are one request: a terminal and a wrapper script, or systemd, may both send it."""
SAVING_S = 60.0
"""So long before its deadline a run begins to save and return: past the deadline its parent calls it timed out."""
SAVING_SHARE = 0.05
"""Of the time left, for deadlines so near that a minute would be much of it."""


class Stopping:
    """Collects the reasons to stop: a signal, a caller's flag, a time budget.

    Args:
        asked: polled; true once somebody wants the run to stop.
        budget_s: seconds from now after which the run has used up its time; None: unlimited.
    """

    def __init__(self, asked: Callable[[], bool] = lambda: False, budget_s: float | None = None) -> None:
        self._asked = asked
        self._started = time.monotonic()
        self._budget_s = budget_s
        self._signals: list[float] = []
        self._since: float | None = None

    @property
    def requested(self) -> bool:
        """True once the run should save and return after the iteration in hand."""
        if self._since is None and (self._signals or self._asked() or self.budget_used):
            self._since = time.monotonic()
        return self._since is not None

    @property
    def budget_used(self) -> bool:
        """True once the time budget is spent."""
        return self._budget_s is not None and time.monotonic() - self._started >= self._budget_s

    @property
    def share_of_budget(self) -> float:
        """How much of the time budget is spent, 0 to 1; 0 without a budget."""
        return min(1.0, (time.monotonic() - self._started) / self._budget_s) if self._budget_s else 0.0

    @property
    def by_request(self) -> bool:
        """True if somebody asked, as opposed to a spent time budget."""
        return bool(self._signals) or self._asked()

    def overdue(self) -> bool:
        """True once the iteration in hand must be dropped: the grace is over, or a second signal insisted."""
        if not self.requested:
            return False
        insisted = bool(self._signals) and self._signals[-1] - self._signals[0] >= SAME_REQUEST_S
        return insisted or (self._since is not None and time.monotonic() - self._since >= GRACE_S)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """While inside, SIGINT and SIGTERM ask for a stop; outside the main thread signals are left alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(_number: int, _frame: FrameType | None) -> None:
            self._signals.append(time.monotonic())

        former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def time_budget_s(request: RunRequest, now: datetime) -> float:
    """Seconds that a run may take from `now`: its training time, or less where its deadline comes first."""
    left_s = max(0.0, (request.deadline - now).total_seconds())
    margin_s = min(SAVING_S, SAVING_SHARE * left_s)
    return min(request.training_config.max_training_time_hours * 3600, left_s - margin_s)


def judging_budget_s(trained_s: float, judging_share: float) -> float:
    """What judging may take after so many seconds of training, so that it is its share of both together."""
    return trained_s * judging_share / (1 - judging_share)
