"""What a phase is given, what it tells meanwhile, and what it hands back."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from pipeline.evolution.networks import Network
from pipeline.evolution.rollout_stretch import SpreadRollouts
from pipeline.evolution.tensorboard_log import Eta, Report, TensorboardLog
from pipeline.simulator.matches import Finished, play_matches
from schemas.phases import TrainingPhaseConfig
from schemas.settings import Settings
from schemas.training import TrainingConfiguration


@dataclass(frozen=True)
class PhaseContext:
    """One phase's hooks.

    `folder` is its own: checkpoints, curves. Given the same orders again after a kill it goes on where its checkpoints
    say, to the same end.
    """

    name: str
    phase: TrainingPhaseConfig
    settings: Settings
    configuration: TrainingConfiguration
    folder: Path
    run_id: str
    run_started_at: datetime
    base_model: str | None
    """The registered model to start from; None: from nothing."""
    seed: int
    """Of the run; every phase derives its own from it and its name."""
    budget_s: float
    """Seconds from now."""
    report: Report
    stop: Callable[[], bool]
    champion: Callable[[], str | None]
    """The registered champion's id, as it is now."""
    now: Callable[[], datetime]
    tell: Callable[[str], None]
    spread: SpreadRollouts | None = None
    """Plays the learner's games on other machines too; None: they are played here."""
    play: Callable[..., Finished] = play_matches
    """Plays games between networks and heuristics as `play_matches` does, the same ones."""


@dataclass(frozen=True)
class PhaseResult:
    """A trained network, and from what."""

    network: Network
    summary: str
    """One line for a person: what was learned from, and how well."""
    games: int
    """Games that the phase played for training, over all parts of the run; those before a kill are counted once."""
    games_learned: int
    positions_learned: int
    data_sources: tuple[str, ...]
    seed: int
    stopped: bool = False
    """Somebody asked it to stop: everything is in its checkpoints, and the same orders go on from there."""
    numbers: dict[str, float] = field(default_factory=dict)
    """Last values of its curves."""
    judged_as: str | None = None
    """The registered model it is already, if the phase had it registered and judged by itself."""


def seed_for(seed: int, *names: str | int) -> int:
    """A seed in 0..2**63-1 that follows from the run's seed and the part's names alone."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


class TrainingMetrics:
    """A `report` that also writes each number as a curve, by the number `updates` that it is told with."""

    def __init__(self, context: PhaseContext, folder: Path, begins: float = 0.0, ends: float = 1.0) -> None:
        """Write into `folder`/curves; the phase's own progress goes from `begins` to `ends` meanwhile."""
        self._context, self._begins, self._ends = context, begins, ends
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
        self._context.report(self._begins + done * (self._ends - self._begins), details, numbers)
