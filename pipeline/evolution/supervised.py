"""Learning from positions whose right answers are known: `fit`."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.data.positions import Positions
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.device import choose_device, prepare_cpu
from pipeline.evolution.dist_context import DistContext
from pipeline.evolution.distributed import Channel, processes_for, run_together
from pipeline.evolution.fit_progress import FitEnd, FitReport
from pipeline.evolution.fitting import Orders
from pipeline.evolution.lesson import Lesson, train
from pipeline.evolution.networks import Network
from pipeline.evolution.tensorboard_log import Report, TensorboardLog
from pipeline.evolution.training_state import load_weights, weights_of
from schemas.errors import DataError, TrainingError
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

__all__ = ["FitEnd", "FitReport", "fit"]


def fit(
    network: Network,
    training: Positions,
    validation: Positions,
    phase: TrainingPhaseConfig,
    optimization: TrainingOptimizationConfig,
    *,
    seed: int,
    checkpoints: CheckpointFolder | None,
    report: Report,
    stop: Callable[[], bool],
    time_budget_s: float | None = None,
    curves: TensorboardLog | None = None,
    device: torch.device | None = None,
    weights: NDArray[np.float32] | None = None,
) -> FitReport:
    """Train `network` on `training` until it no longer gets better on `validation`; it keeps its best weights.

    AdamW, a rate that rises and falls (`lr_schedule.py`), losses as `losses.py` says. Without a time budget the outcome
    follows from the arguments alone, on a CPU bit for bit, however often the run was killed and resumed; with one, the
    learning rate's course depends on how fast this machine is.

    Args:
        network: changed in place, moved to `device`; with several processes the others have copies.
        checkpoints: where the run is saved every `checkpoint_interval_s` and at its end, and resumed from if what lies
            there is of this training; a finished one is not trained again. None: nothing is saved.
        report: called about every second and after each epoch with the share done, words and numbers.
        stop: asked before every step; True ends the call within a step, state saved.
        time_budget_s: seconds this call may take; validation of what was learned by then is within it.
        device: None: the GPU where there is one.
        weights: float32[M], how much each row of `training` counts; None: all the same.

    Raises:
        DataError: there are too few rows.
        TrainingError: the loss was lost three times, or one of several processes died.
        NothingLearnedError: not one step was made (OutOfTimeError: for want of time); nothing is saved as finished.
        MachineError: a checkpoint cannot be written.
    """
    device = device or choose_device()
    processes = processes_for(network.config, optimization, device)
    for name, positions, least in (("training", training, 2 * processes), ("validation", validation, 1)):
        if len(positions) < least:
            raise DataError(
                f"{len(positions)} positions for {name} are too few", where=name, remedy="Collect more games first."
            )
    lesson = Lesson(training, validation, weights, phase, optimization, seed)
    orders = Orders(report, stop, time_budget_s, checkpoints, curves)
    if processes == 1:
        prepare_cpu(optimization.threads)
        return train(network, lesson, orders, device, DistContext())
    return _train_together(network, lesson, orders, device, processes)


@dataclass(frozen=True)
class _Share:
    """What each of several processes does; travels to it."""

    network: Network
    folder: Path
    phase: TrainingPhaseConfig
    optimization: TrainingOptimizationConfig
    seed: int
    time_budget_s: float | None
    checkpoints: tuple[Path, int] | None
    curves: Path | None

    def __call__(self, world: DistContext, device: torch.device, channel: Channel) -> "_Learned | None":
        def report(done: float, details: str, numbers: Mapping[str, float]) -> None:
            channel.send(_Told(done, details, dict(numbers)))

        checkpoints = None
        if self.checkpoints is not None:
            checkpoints = CheckpointFolder(*self.checkpoints, tell=channel.send)
        curves = TensorboardLog(self.curves) if self.curves is not None and world.leads else None
        lesson = Lesson.open(self.folder, self.phase, self.optimization, self.seed)
        orders = Orders(report, channel.asked_to_stop, self.time_budget_s, checkpoints, curves)
        made = train(self.network, lesson, orders, device, world)
        if curves is not None:
            curves.close()
        learned = {name: weight.numpy() for name, weight in weights_of(self.network).items()}
        digest = hashlib.sha256(b"".join(array.tobytes() for array in learned.values())).hexdigest()
        if world.follow(digest) != digest:
            raise TrainingError(
                f"process {world.rank + 1} of {world.size} learned other weights than the first",
                remedy="Train with one process (distributed_processes: 1, use_multi_gpu: false).",
            )
        return _Learned(made, learned) if world.leads else None


@dataclass(frozen=True)
class _Told:
    done: float
    details: str
    numbers: dict[str, float]


@dataclass(frozen=True)
class _Learned:
    report: FitReport
    weights: dict[str, NDArray[np.generic]]


def _train_together(
    network: Network, lesson: Lesson, orders: Orders, device: torch.device, processes: int
) -> FitReport:
    checkpoints, curves = orders.checkpoints, orders.curves

    def listen(message: object) -> None:
        if isinstance(message, _Told):
            orders.report(message.done, message.details, message.numbers)
        elif checkpoints is not None:
            checkpoints.tell(str(message))

    with _scratch(checkpoints) as folder:
        lesson.store(folder)
        share = _Share(
            network.cpu(), folder, lesson.phase, lesson.optimization, lesson.seed, orders.time_budget_s,
            None if checkpoints is None else (checkpoints.path, checkpoints.keep),
            None if curves is None else curves.folder,
        )  # fmt: skip
        learned = run_together(share, processes, device, lesson.optimization, listen=listen, stop=orders.stop)
    assert isinstance(learned, _Learned)
    load_weights(network, {name: torch.from_numpy(array) for name, array in learned.weights.items()})
    return learned.report


@contextmanager
def _scratch(checkpoints: CheckpointFolder | None) -> Iterator[Path]:
    """A folder for the rows: beside the checkpoints, since they may be larger than the system's temporary folder, and
    under one name, so that what a killed run left is removed by the next."""
    if checkpoints is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    lesson = checkpoints.path / ".lesson"
    shutil.rmtree(lesson, ignore_errors=True)
    lesson.mkdir(parents=True)
    try:
        yield lesson
    finally:
        shutil.rmtree(lesson, ignore_errors=True)
