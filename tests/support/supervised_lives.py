"""Small trainings that are killed; run as a program it is their cradle.

In a process of their own: torch refuses to learn in a fork once its parent has had threads that learn, which other
tests start in the process that they share.
"""

import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from cradle import rock
from played_positions import played_lesson
from small_networks import small_network

from pipeline.data.positions import Positions
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.fit_progress import FitReport
from pipeline.evolution.networks import Network
from pipeline.evolution.supervised import fit
from pipeline.evolution.supervised_step import StepResult, StepRows, SupervisedLearner
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

PHASE = TrainingPhaseConfig(learning_rate=0.01, batch_size=16, max_epochs=3, gradient_accumulation_steps=2)
STEPS = 21
_step = SupervisedLearner.step


@cache
def _lesson() -> tuple[Positions, Positions]:
    return played_lesson(240, games=15)


def never() -> bool:
    """A `stop` that is not asked for."""
    return False


def spoilt(learner: SupervisedLearner, taken_rows: StepRows, number: int, rate: float) -> StepResult:
    """In place of `SupervisedLearner.step`: the tenth step is a setback, until the rate was halved."""
    made = _step(learner, taken_rows, number, rate)
    return made._replace(taken=False) if number == 10 and rate > 0.004 else made


def learn(folder: Path, interval_s: float, stop: Callable[[], bool] = never) -> tuple[FitReport, Network]:
    """Train, from the checkpoints of the folder where it holds any."""
    network = small_network()
    made = fit(
        network, *_lesson(), PHASE, TrainingOptimizationConfig(threads=1, checkpoint_interval_s=interval_s),
        seed=6, checkpoints=CheckpointFolder(folder, keep=2), report=lambda done, words, numbers: None,
        stop=stop, device=torch.device("cpu"),
    )  # fmt: skip
    return made, network


def _killed_at(question: int) -> Callable[[], bool]:
    count = 0

    def asked() -> bool:
        nonlocal count
        if count == question:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return False

    return asked


def _life(folder: str, interval_s: float, kill_at: int, is_spoilt: bool) -> None:
    """Killed when it asks for the n-th time whether to stop."""
    if is_spoilt:
        SupervisedLearner.step = spoilt  # type: ignore[method-assign]
    learn(Path(folder), interval_s, _killed_at(kill_at))


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        learn(Path(folder), 60)  # what the first one imports and compiles no life needs to
    rock(_life)
