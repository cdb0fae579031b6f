"""Learning from positions whose right answers are known: the dataset, and `fit`, in one process or several."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.data.positions import Positions
from pipeline.evolution.batches import BatchReader
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.device import choose_device, prepare_cpu
from pipeline.evolution.dist_context import DistContext, ParentChannel, processes_for, run_together
from pipeline.evolution.fit_progress import FitEnd, FitReport, TrainingHooks
from pipeline.evolution.networks import Network
from pipeline.evolution.supervised_step import SupervisedLearner
from pipeline.evolution.supervised_trainer import SupervisedTrainer
from pipeline.evolution.tensorboard_log import Report, TensorboardLog
from pipeline.evolution.training_state import load_weights, weights_of
from schemas.errors import DataError, TrainingError
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

__all__ = ["FitEnd", "FitReport", "fit"]
_SAMPLE: Final = 4096


@dataclass(frozen=True)
class SupervisedDataset:
    """All that decides what a training comes to, the network's weights at its beginning aside."""

    training: Positions
    validation: Positions
    weights: NDArray[np.float32] | None
    phase: TrainingPhaseConfig
    optimization: TrainingOptimizationConfig
    seed: int

    def fingerprint(self, processes: int) -> str:
        """Differs where a checkpoint of the one training must not be resumed as the other.

        Rates, limits and patience are left out: whoever changes those in the middle wants to go on from there.
        """
        digest = hashlib.sha256()
        for positions in (self.training, self.validation):
            digest.update(f"{len(positions)}|".encode())
            some = np.linspace(0, len(positions) - 1, min(len(positions), _SAMPLE)).astype(np.int64)
            for array in positions.rows(some):
                digest.update(np.ascontiguousarray(array).tobytes())
        if self.weights is not None:
            digest.update(self.weights.tobytes())
        phase = self.phase
        words = (self.seed, phase.batch_size, phase.gradient_accumulation_steps, phase.data_augmentation, processes)
        digest.update(repr(words).encode())
        return digest.hexdigest()

    def store(self, folder: Path) -> None:
        """Write the rows into `folder`, for `open` in another process."""
        for part, positions in (("training", self.training), ("validation", self.validation)):
            for name, array in positions._asdict().items():
                np.save(folder / f"{part}-{name}.npy", array, allow_pickle=False)
        if self.weights is not None:
            np.save(folder / "weights.npy", self.weights, allow_pickle=False)

    @classmethod
    def open(
        cls, folder: Path, phase: TrainingPhaseConfig, optimization: TrainingOptimizationConfig, seed: int
    ) -> Self:
        """The rows that `store` wrote, mapped into memory that all processes share."""

        def mapped(name: str) -> Any:
            return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

        training = Positions(*(mapped(f"training-{name}") for name in Positions._fields))
        validation = Positions(*(mapped(f"validation-{name}") for name in Positions._fields))
        weights = mapped("weights").astype(np.float32) if (folder / "weights.npy").exists() else None
        return cls(training, validation, weights, phase, optimization, seed)


def train(
    network: Network, dataset: SupervisedDataset, hooks: TrainingHooks, device: torch.device, world: DistContext
) -> FitReport:
    """Train as one process of `world`, on `device`; see `supervised.fit`."""
    network.to(device)
    network.to(memory_format=torch.channels_last)
    network.train()
    network.recompute = dataset.phase.gradient_checkpointing
    network.pack_leaves = device.type == "cpu"
    learner = SupervisedLearner(
        network,
        BatchReader(dataset.training, dataset.weights, device),
        BatchReader(dataset.validation, None, device),
        dataset.phase,
        dataset.optimization,
        seed=dataset.seed,
        device=device,
        world=world,
    )
    trainer = SupervisedTrainer(
        learner, len(dataset.training), len(dataset.validation), dataset.phase, dataset.optimization, hooks,
        seed=dataset.seed, fingerprint=dataset.fingerprint(world.size), device=device, world=world,
    )  # fmt: skip
    try:
        return trainer.run()
    finally:
        network.recompute = network.pack_leaves = False
        network.eval()


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

    AdamW, a rate that rises and falls (`fit_progress.py`), losses as `supervised_step.py` says. Without a time budget
    the outcome follows from the arguments alone, on a CPU bit for bit, however often the run was killed and resumed;
    with one, the learning rate's course depends on how fast this machine is.

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
    dataset = SupervisedDataset(training, validation, weights, phase, optimization, seed)
    hooks = TrainingHooks(report, stop, time_budget_s, checkpoints, curves)
    if processes == 1:
        prepare_cpu(optimization.threads)
        return train(network, dataset, hooks, device, DistContext())
    return _train_together(network, dataset, hooks, device, processes)


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

    def __call__(self, world: DistContext, device: torch.device, channel: ParentChannel) -> "_Learned | None":
        def report(done: float, details: str, numbers: Mapping[str, float]) -> None:
            channel.send(_Told(done, details, dict(numbers)))

        checkpoints = None
        if self.checkpoints is not None:
            checkpoints = CheckpointFolder(*self.checkpoints, tell=channel.send)
        curves = TensorboardLog(self.curves) if self.curves is not None and world.leads else None
        dataset = SupervisedDataset.open(self.folder, self.phase, self.optimization, self.seed)
        hooks = TrainingHooks(report, channel.asked_to_stop, self.time_budget_s, checkpoints, curves)
        made = train(self.network, dataset, hooks, device, world)
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
    network: Network, dataset: SupervisedDataset, hooks: TrainingHooks, device: torch.device, processes: int
) -> FitReport:
    checkpoints, curves = hooks.checkpoints, hooks.curves

    def listen(message: object) -> None:
        if isinstance(message, _Told):
            hooks.report(message.done, message.details, message.numbers)
        elif checkpoints is not None:
            checkpoints.tell(str(message))

    with _scratch(checkpoints) as folder:
        dataset.store(folder)
        share = _Share(
            network.cpu(), folder, dataset.phase, dataset.optimization, dataset.seed, hooks.time_budget_s,
            None if checkpoints is None else (checkpoints.path, checkpoints.keep),
            None if curves is None else curves.folder,
        )  # fmt: skip
        learned = run_together(share, processes, device, dataset.optimization, listen=listen, stop=hooks.stop)
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
    dataset = checkpoints.path / ".dataset"
    shutil.rmtree(dataset, ignore_errors=True)
    dataset.mkdir(parents=True)
    try:
        yield dataset
    finally:
        shutil.rmtree(dataset, ignore_errors=True)
