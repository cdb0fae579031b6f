"""What a phase's updates are told to: progress with the time left, and TensorBoard."""

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self

from pipeline.evolution.tensorboard_log import Eta, TensorboardLog
from pipeline.phases.work import PhaseWork


class Curves:
    """A `report` that also writes each number as a curve, by the number `updates` that it is told with."""

    def __init__(self, work: PhaseWork, folder: Path, begins: float = 0.0, ends: float = 1.0) -> None:
        """Write into `folder`/curves; the phase's own progress goes from `begins` to `ends` meanwhile."""
        self._work, self._begins, self._ends = work, begins, ends
        self._curves, self._eta = TensorboardLog(folder / "curves"), Eta()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._curves.close()

    def __call__(self, done: float, details: str, numbers: Mapping[str, float]) -> None:
        """Tell it on."""
        if "updates" in numbers:
            self._curves.write(int(numbers["updates"]), numbers)
        left_s = self._eta.left_s(done, time.monotonic())
        if left_s is not None:
            details += f", {timedelta(seconds=round(left_s))} left"
        if "positions_per_s" in numbers:
            details += f", {numbers['positions_per_s']:,.0f} positions/s"
        self._work.report(self._begins + done * (self._ends - self._begins), details, numbers)
