"""What a supervised training learns from, and how it is trained in one process."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.data.positions import Positions
from pipeline.evolution.batches import Reader
from pipeline.evolution.dist_context import DistContext
from pipeline.evolution.fit_progress import FitReport
from pipeline.evolution.fitting import Fitting, Orders
from pipeline.evolution.learner import Learner
from pipeline.evolution.networks import Network
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

_SAMPLE: Final = 4096


@dataclass(frozen=True)
class Lesson:
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


def train(network: Network, lesson: Lesson, orders: Orders, device: torch.device, world: DistContext) -> FitReport:
    """Train as one process of `world`, on `device`; see `supervised.fit`."""
    network.to(device)
    network.to(memory_format=torch.channels_last)
    network.train()
    network.recompute = lesson.phase.gradient_checkpointing
    network.pack_leaves = device.type == "cpu"
    learner = Learner(
        network,
        Reader(lesson.training, lesson.weights, device),
        Reader(lesson.validation, None, device),
        lesson.phase,
        lesson.optimization,
        seed=lesson.seed,
        device=device,
        world=world,
    )
    fitting = Fitting(
        learner, len(lesson.training), len(lesson.validation), lesson.phase, lesson.optimization, orders,
        seed=lesson.seed, fingerprint=lesson.fingerprint(world.size), device=device, world=world,
    )  # fmt: skip
    try:
        return fitting.run()
    finally:
        network.recompute = network.pack_leaves = False
        network.eval()
