"""How the learning rate goes over a training run: a straight rise, then half a cosine."""

import math
from dataclasses import dataclass, replace
from typing import Final, Self

WARM_UP_SHARE: Final = 0.05
WARM_UP_STEPS: Final = 500
"""The rise lasts a share of the run, and never longer than this: Adam's moments begin empty."""
LAST_SHARE: Final = 0.05
"""Of the learning rate, what is left at the end (Loshchilov & Hutter 2017, SGDR, without restarts)."""


@dataclass(frozen=True)
class LrSchedule:
    """The learning rate as a function of the optimizer's steps.

    peak: the configured rate. planned: steps the run will have; a run that ends by the clock plans anew as it learns
    its own speed. scale: halved whenever the loss was lost.
    """

    peak: float
    planned: int
    scale: float = 1.0

    def rate(self, step: int) -> float:
        """The rate of step `step`, counted from 0."""
        rise = max(1, min(WARM_UP_STEPS, round(self.planned * WARM_UP_SHARE)))
        if step < rise:
            return self.scale * self.peak * (step + 1) / rise
        done = min(1.0, (step - rise) / max(1, self.planned - rise))
        return self.scale * self.peak * (LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * done)))

    def for_clock(self, steps: int, elapsed_s: float, budget_s: float, most: int, begun: int) -> Self:
        """The pace of a run that has made `steps` steps, from `begun` on in `elapsed_s` of its `budget_s` seconds."""
        if steps <= begun or elapsed_s <= 0:
            return self
        left = max(0.0, budget_s - elapsed_s)
        return replace(self, planned=max(steps, min(most, steps + round(left * (steps - begun) / elapsed_s))))
