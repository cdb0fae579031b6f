"""How far a supervised training has come, its learning rate (a rise, then half a cosine), and what came of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple, Self

from pydantic import BaseModel, Field

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.supervised_step import Losses, Sums
from pipeline.evolution.tensorboard_log import Report, TensorboardLog
from schemas.base import Frozen
from schemas.errors import NothingLearnedError, OutOfTimeError

_SMOOTHING: Final = 0.98
_EXPLODED: Final = 4.0
_SLACK: Final = 1.0
WARM_UP_SHARE: Final = 0.05
WARM_UP_STEPS: Final = 500
"""The rise lasts a share of the run, and never longer than this: Adam's moments begin empty."""
LAST_SHARE: Final = 0.05
"""Of the learning rate, what is left at the end (Loshchilov & Hutter 2017, SGDR, without restarts)."""


class TrainingHooks(NamedTuple):
    """Who watches a training and when it is to end. Only the first of several processes asks them."""

    report: Report
    stop: Callable[[], bool]
    time_budget_s: float | None
    checkpoints: CheckpointFolder | None
    curves: TensorboardLog | None


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


class FitEnd(StrEnum):
    """Why a training ended."""

    EPOCHS = "epochs"
    PATIENCE = "patience"
    TIME = "time"
    STOP = "stop"
    """Asked to; the checkpoint goes on from there."""


class EpochRecord(Frozen):
    """One pass over the training rows (or the part of one, when the time was up) and what validation said after it."""

    epoch: int
    steps: int
    """The optimizer's steps, from the beginning of the training."""
    rate: float
    training: Losses
    validation: Losses

    def curves(self) -> dict[str, float]:
        """What TensorBoard is told of the epoch: its losses by part, and the learning rate."""
        numbers = {"learning_rate": self.rate}
        for name, losses in (("training", self.training), ("validation", self.validation)):
            numbers |= {f"{name}/{key}": value for key, value in losses.model_dump().items()}
        return numbers


class FitReport(NamedTuple):
    """What a call of `fit` came to; the network holds the weights of the best epoch, where one was finished."""

    ended: FitEnd
    history: tuple[EpochRecord, ...]
    """All epochs, those before a resume too."""
    best_epoch: int | None
    steps: int
    samples: int
    """Rows learned from, repeated ones counted each time."""
    setbacks: int
    """How often the loss was lost and the training went back."""
    seconds: float
    """Of this call."""
    samples_per_s: float
    """Of this call, validation included; 0 where nothing was left to do."""
    outside_share: float
    """Share of this call's time spent making batches."""
    resumed: bool

    @property
    def best(self) -> EpochRecord | None:
        """The best epoch's record."""
        return None if self.best_epoch is None else next(r for r in self.history if r.epoch == self.best_epoch)


class FitProgress(BaseModel):
    """Where a training stands; together with weights and moments all that a resumed one needs."""

    fingerprint: str
    pace_planned: int
    pace_scale: float = 1.0
    epoch: int = 0
    step: int = 0
    """Steps made in this epoch."""
    steps: int = 0
    samples: int = 0
    setbacks: int = 0
    sums: list[float] = Field(default_factory=lambda: [0.0] * len(Sums._fields))
    """This epoch's training losses."""
    policy_weight: float = 0.0
    row_weight: float = 0.0
    history: list[EpochRecord] = Field(default_factory=list)
    best_loss: float | None = None
    best_epoch: int | None = None
    waited: int = 0
    """Epochs since the best."""
    smoothed: float | None = None
    lowest: float | None = None
    ended: FitEnd | None = None

    def lr_schedule(self, peak: float) -> LrSchedule:
        """The learning rate's stage."""
        return LrSchedule(peak, self.pace_planned, self.pace_scale)

    def is_lost(self, loss: float) -> bool:
        """Take note of a step's loss; True when it is no number, or when it exploded.

        One bad batch is none: it is the smoothed loss that may not rise above four times its lowest, plus one.
        """
        if not math.isfinite(loss):
            return True
        self.smoothed = loss if self.smoothed is None else _SMOOTHING * self.smoothed + (1 - _SMOOTHING) * loss
        self.lowest = self.smoothed if self.lowest is None else min(self.lowest, self.smoothed)
        return self.smoothed > _EXPLODED * self.lowest + _SLACK

    def losses(self) -> dict[str, float]:
        """The losses of now, as far as they are known: the training's, smoothed, and the last validation's."""
        numbers = {} if self.smoothed is None else {"training_loss": self.smoothed}
        if self.history:
            last = self.history[-1].validation
            numbers |= {"validation_loss": last.total, "validation_accuracy": last.accuracy}
        return numbers

    def close_epoch(self, record: EpochRecord) -> bool:
        """Take note of a finished epoch and begin the next; True when it is the best so far."""
        self.history.append(record)
        better = self.best_loss is None or record.validation.total < self.best_loss
        if better:
            self.best_loss, self.best_epoch, self.waited = record.validation.total, record.epoch, 0
        else:
            self.waited += 1
        self.epoch, self.step = self.epoch + 1, 0
        self.sums, self.policy_weight, self.row_weight = [0.0] * len(Sums._fields), 0.0, 0.0
        return better


def nothing_learned(
    ended: FitEnd | None, budget_s: float | None, rows: int, batch_size: int, processes: int
) -> NothingLearnedError:
    """The error for a training that came to its end without one step.

    Args:
        ended: TIME: for want of time; else: for want of positions.
        budget_s: seconds that were left for it.
        rows: positions to learn from.
    """
    if ended is FitEnd.TIME:
        return OutOfTimeError(
            f"the time for supervised training was used up before its first step ({budget_s:.1f} s were left for it)",
            where="time_budget_s",
            remedy="Give the run more hours, or the phase a larger time_share or fewer games to play first.",
        )
    return NothingLearnedError(
        f"supervised training made no step: its {rows} positions make no batch for {processes} process(es)",
        where=f"batch_size {batch_size}",
        remedy="Collect more games first.",
    )
