"""The course of a supervised training: epochs, validation, checkpoints, and the way back when the loss is lost."""

import logging
import math
import time
from typing import Final, NamedTuple

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor

from pipeline.evolution.dist_context import DistContext
from pipeline.evolution.fit_progress import EpochRecord, FitEnd, FitProgress, FitReport, TrainingHooks, nothing_learned
from pipeline.evolution.supervised_step import Divisors, Losses, StepRows, SupervisedLearner, total_of
from pipeline.evolution.tensorboard_log import Eta
from pipeline.evolution.training_state import OptimizerState, TrainingState, load_weights, weights_of
from schemas.errors import TrainingError
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

KIND: Final = "supervised"
SETBACKS: Final = 3
"""Losses lost after which a training is given up."""
GOOD_EVERY: Final = 1000
"""Steps after which the present state becomes the one to go back to (it does at each epoch's beginning, too)."""
_ORDER_STREAM: Final = 0x0DE5
_REPORT_S: Final = 1.0
_GO, _STOP, _TIME_UP = 0.0, 1.0, 2.0
_log = logging.getLogger("ouroboros.fit")


class _Good(NamedTuple):
    """A state to go back to."""

    weights: dict[str, Tensor]
    optimizer: OptimizerState
    progress: FitProgress


class SupervisedTrainer:
    """One training, in one process of one or several."""

    def __init__(
        self,
        learner: SupervisedLearner,
        rows: int,
        validation_rows: int,
        phase: TrainingPhaseConfig,
        optimization: TrainingOptimizationConfig,
        hooks: TrainingHooks,
        *,
        seed: int,
        fingerprint: str,
        device: torch.device,
        world: DistContext,
    ) -> None:
        self._learner, self._rows, self._validation_rows = learner, rows, validation_rows
        self._phase, self._optimization, self._hooks = phase, optimization, hooks
        self._seed, self._device, self._world = seed, device, world
        self._per_step: Final = phase.batch_size * phase.gradient_accumulation_steps
        self._epoch_steps: Final = self._steps_of(rows)
        self._progress = FitProgress(fingerprint=fingerprint, pace_planned=self._epoch_steps * phase.max_epochs)
        self._best: dict[str, Tensor] = {}
        self._good: _Good
        self._begun = self._saved = self._reported = time.monotonic()
        self._samples_before = self._steps_before = 0
        self._validation_s = 0.0
        self._resumed = False
        self._eta: Final = Eta()

    def run(self) -> FitReport:
        """Train until an end is reached; the network is left with the best weights.

        Raises:
            TrainingError: the loss was lost SETBACKS times; the network holds the last good weights.
            NothingLearnedError: it came to its end without one step (OutOfTimeError: for want of time).
            MachineError: a checkpoint cannot be written.
        """
        self._resumed = self._resume()
        if not self._resumed:
            self._remember()
        if self._hooks.curves is not None and self._world.leads:
            history = self._progress.history
            self._hooks.curves.begin(history[-1].steps + 1 if history else 0)
        self._samples_before, self._steps_before = self._progress.samples, self._progress.steps
        finished_before = self._progress.ended is not None
        while self._progress.ended is None:
            ended = self._epoch()
            if ended is FitEnd.STOP:
                self._save()
                return self._close(ended)
            if self._progress.steps == 0 and (ended is FitEnd.TIME or self._epoch_steps == 0):  # else: gone back to 0
                budget_s, batch = self._hooks.time_budget_s, self._phase.batch_size
                raise nothing_learned(ended, budget_s, self._rows, batch, self._world.size)
            self._progress.ended = ended or self._end()
            if self._progress.ended is None:
                self._remember()
        if not finished_before:
            self._save()
        return self._close(self._progress.ended)

    # ── one epoch ────────────────────────────────────────────────────────────────────────────────────────────────

    def _epoch(self) -> FitEnd | None:
        """Train to the end of the epoch and validate; STOP or TIME when it was cut, None when it was whole or lost."""
        progress, order = self._progress, self._order(self._progress.epoch)
        ended: FitEnd | None = None
        while self._progress.step < self._epoch_steps:
            said = self._command()
            if said == _STOP:
                return FitEnd.STOP
            if said == _TIME_UP:
                ended = FitEnd.TIME
                break
            if not self._step(order):
                self._go_back()
                return None
            self._tend()
        if progress.step == 0:  # not one step of this epoch was made: there is nothing new to judge
            return ended
        sums = self._validate()
        if sums is None:
            return FitEnd.STOP
        if not all(map(math.isfinite, sums)):
            self._go_back()
            return None
        self._close_epoch(self._learner.validation_losses(sums))
        return ended

    def _step(self, order: StepRows) -> bool:
        """Make one step; False when the loss was lost."""
        progress = self._progress
        part = slice(progress.step * self._per_step, min((progress.step + 1) * self._per_step, self._usable))
        rate = progress.lr_schedule(self._phase.learning_rate).rate(progress.steps)
        made = self._learner.step(StepRows(order.rows[part], order.symmetries[part]), progress.steps, rate)
        if progress.is_lost(total_of(made.sums, made.divisors)) or not made.taken:
            return False
        progress.sums = [a + b for a, b in zip(progress.sums, made.sums, strict=True)]
        progress.policy_weight += made.divisors.policy
        progress.row_weight += made.divisors.rows
        progress.step, progress.steps = progress.step + 1, progress.steps + 1
        progress.samples += part.stop - part.start
        return True

    @property
    def _usable(self) -> int:
        """Rows that an epoch shows: a last batch of fewer than two rows per process is left out (of another order each
        time), since some process would have nothing to do."""
        rest = self._rows % self._phase.batch_size
        return self._rows - rest if rest < 2 * self._world.size else self._rows

    def _steps_of(self, rows: int) -> int:
        return -(-self._usable // self._per_step)

    def _order(self, epoch: int) -> StepRows:
        """The epoch's order of rows and their symmetries: they follow from seed and epoch alone."""
        chance = np.random.default_rng((self._seed, _ORDER_STREAM, epoch))
        rows = chance.permutation(self._rows)
        if not self._phase.data_augmentation:
            return StepRows(rows, np.zeros(self._rows, np.uint8))
        return StepRows(rows, chance.integers(0, 8, self._rows, dtype=np.uint8))

    def _validate(self) -> list[float] | None:
        """The losses added up over all held-back rows; None when a stop was asked for meanwhile."""
        begun, learner, network = time.monotonic(), self._learner, self._learner.network
        self._world.align(network)
        network.eval()
        sums = [0.0] * len(self._progress.sums)
        for first in range(0, self._validation_rows, learner.validation_stride):
            if self._command() == _STOP:
                network.train()
                return None
            sums = learner.validate(first, sums)
        network.train()
        self._validation_s = time.monotonic() - begun
        return sums

    def _close_epoch(self, validation: Losses) -> None:
        progress = self._progress
        record = EpochRecord(
            epoch=progress.epoch,
            steps=progress.steps,
            rate=progress.lr_schedule(self._phase.learning_rate).rate(max(0, progress.steps - 1)),
            training=Losses.mean(progress.sums, Divisors(progress.policy_weight, progress.row_weight)),
            validation=validation,
        )
        if progress.close_epoch(record):
            self._best = weights_of(self._learner.network)
        self._plan_anew()
        self._write_down(record)
        self._tell(f"epoch {record.epoch + 1}: validation loss {validation.total:.4f}")

    def _end(self) -> FitEnd | None:
        if self._progress.epoch >= self._phase.max_epochs:
            return FitEnd.EPOCHS
        return FitEnd.PATIENCE if self._progress.waited >= self._phase.early_stopping_patience else None

    # ── the clock and the user ───────────────────────────────────────────────────────────────────────────────────

    def _command(self) -> float:
        """Whether to go on; what the first process finds out, all do."""
        said = _GO
        if self._world.leads:
            budget = self._hooks.time_budget_s
            if self._hooks.stop():
                said = _STOP
            elif budget is not None and time.monotonic() - self._begun + self._validation_s >= budget:
                said = _TIME_UP
        return self._world.add([said], self._device)[0]

    def _tend(self) -> None:
        """What is to be done now and then, between two steps."""
        if self._progress.step < self._epoch_steps and self._progress.steps % GOOD_EVERY == 0:
            self._remember()
            self._plan_anew()
        now = time.monotonic()
        if self._world.leads and now - self._saved >= self._optimization.checkpoint_interval_s:
            self._save()
        if self._world.leads and now - self._reported >= _REPORT_S:
            self._tell("training")

    def _plan_anew(self) -> None:
        """A run that the clock will end learns from its speed how many steps its learning rate has to fall in."""
        budget, progress = self._hooks.time_budget_s, self._progress
        if budget is None:
            return
        elapsed = self._world.add([time.monotonic() - self._begun if self._world.leads else 0.0], self._device)[0]
        most = self._epoch_steps * self._phase.max_epochs
        schedule = progress.lr_schedule(self._phase.learning_rate)
        progress.pace_planned = schedule.for_clock(progress.steps, elapsed, budget, most, self._steps_before).planned

    def _tell(self, what: str) -> None:
        if not self._world.leads:
            return
        self._reported = now = time.monotonic()
        progress, elapsed, budget = self._progress, now - self._begun, self._hooks.time_budget_s
        done = progress.steps / max(1, self._epoch_steps * self._phase.max_epochs)
        if budget:
            done = max(done, min(1.0, elapsed / budget))
        eta_s = self._eta.left_s(min(1.0, done), now)
        numbers = {
            "epoch": float(progress.epoch + 1),
            "steps": float(progress.steps),
            "samples": float(progress.samples),
            "samples_per_s": (progress.samples - self._samples_before) / max(elapsed, 1e-9),
            "learning_rate": progress.lr_schedule(self._phase.learning_rate).rate(progress.steps),
        }
        if eta_s is not None:
            numbers["eta_s"] = eta_s
        self._hooks.report(min(1.0, done), what, numbers | progress.losses())

    def _write_down(self, record: EpochRecord) -> None:
        if self._hooks.curves is None or not self._world.leads:
            return
        self._hooks.curves.write(record.steps, record.curves())

    # ── states ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _remember(self) -> None:
        """Make the present state the one to go back to."""
        network, optimizer = self._learner.network, self._learner.optimizer
        progress = self._progress.model_copy(deep=True)
        self._good = _Good(weights_of(network), OptimizerState.capture(optimizer), progress)

    def _go_back(self) -> None:
        """Return to the last good state, with half the learning rate."""
        good, setbacks, scale = self._good, self._progress.setbacks + 1, self._progress.pace_scale / 2
        load_weights(self._learner.network, good.weights)
        good.optimizer.restore(self._learner.optimizer)
        lost_at = self._progress.steps
        self._progress = good.progress.model_copy(deep=True, update={"setbacks": setbacks, "pace_scale": scale})
        said = f"the loss was lost at step {lost_at}: back to step {self._progress.steps}, learning rate halved"
        if self._world.leads:
            _log.warning("⚠ %s (setback %d of %d)", said, setbacks, SETBACKS)
        self._tell(said)
        if setbacks >= SETBACKS:
            raise TrainingError(
                f"the loss was lost {setbacks} times, the last time at step {lost_at}",
                where=f"learning rate {self._phase.learning_rate * scale * 2:g}",
                remedy="Lower the phase's learning_rate, or look at its data.",
            )

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._hooks.checkpoints is None or not self._world.leads:
            return
        counters: dict[str, JsonValue] = {
            "kind": KIND,
            "progress": self._progress.model_dump(mode="json"),
            "good": self._good.progress.model_dump(mode="json"),
        }
        arrays = {f"best/{name}": tensor for name, tensor in self._best.items()}
        arrays |= {f"good/{name}": tensor for name, tensor in self._good.weights.items()}
        arrays |= {f"moments/{name}": tensor for name, tensor in self._good.optimizer.moments.items()}
        learner = self._learner
        self._hooks.checkpoints.save(
            TrainingState.capture(learner.network, learner.optimizer, counters=counters, arrays=arrays)
        )

    def _resume(self) -> bool:
        """Go on from the newest checkpoint, if there is one and it is of this training."""
        checkpoints = self._hooks.checkpoints
        if checkpoints is None:
            return False
        found = checkpoints.newest() if self._world.leads else None
        name = self._world.follow(found[0] if found else "")
        if not name:
            return False
        state = found[1] if found else checkpoints.load(name)
        progress = FitProgress.model_validate(state.counters["progress"]) if state.counters["kind"] == KIND else None
        if progress is None or progress.fingerprint != self._progress.fingerprint:
            if self._world.leads:
                _log.warning("⚠ The checkpoint %s is of another training: starting afresh.", checkpoints.path / name)
            return False
        self._take_up(state, progress)
        return True

    def _take_up(self, state: TrainingState, progress: FitProgress) -> None:
        learner = self._learner
        groups = learner.optimizer.state_dict()["param_groups"]  # settings that were changed meanwhile count
        load_weights(learner.network, state.network)
        moments = state.optimizer.moments if state.optimizer else {}
        OptimizerState(moments, groups).restore(learner.optimizer)
        if self._hooks.time_budget_s is None:
            progress.pace_planned = self._epoch_steps * self._phase.max_epochs
        good = FitProgress.model_validate(state.counters["good"])
        self._good = _Good(state.arrays_under("good"), OptimizerState(state.arrays_under("moments"), groups), good)
        self._progress, self._best = progress, state.arrays_under("best")

    def _close(self, ended: FitEnd) -> FitReport:
        if self._best:
            load_weights(self._learner.network, self._best)
        seconds, progress = time.monotonic() - self._begun, self._progress
        done = progress.samples - self._samples_before
        return FitReport(
            ended=ended,
            history=tuple(progress.history),
            best_epoch=progress.best_epoch,
            steps=progress.steps,
            samples=progress.samples,
            setbacks=progress.setbacks,
            seconds=seconds,
            samples_per_s=done / seconds if done else 0.0,
            outside_share=self._learner.outside_s / seconds,
            resumed=self._resumed,
        )
