"""How far a supervised training has come, and what came of it."""

import math
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import BaseModel, Field

from pipeline.evolution.losses import Losses, Sums
from pipeline.evolution.lr_schedule import LrSchedule
from schemas.base import Frozen

_SMOOTHING: Final = 0.98
_EXPLODED: Final = 4.0
_SLACK: Final = 1.0


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


class Progress(BaseModel):
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
        """The learning rate's course."""
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
