"""A training killed at any step and resumed comes to what an undisturbed one comes to, bit for bit."""

import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from forked import forked
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


@pytest.fixture(scope="module")
def rows() -> tuple[Positions, Positions]:
    return played_lesson(240, games=15)


def learn(
    rows: tuple[Positions, Positions], folder: Path, interval_s: float, asked: Callable[[], bool]
) -> tuple[FitReport, Network]:
    network = small_network()
    made = fit(
        network, *rows, PHASE, TrainingOptimizationConfig(threads=1, checkpoint_interval_s=interval_s),
        seed=6, checkpoints=CheckpointFolder(folder, keep=2), report=lambda done, words, numbers: None,
        stop=asked, device=torch.device("cpu"),
    )  # fmt: skip
    return made, network


def killed_at(question: int) -> Callable[[], bool]:
    """A `stop` that kills its process when it is asked for the n-th time."""
    count = 0

    def asked() -> bool:
        nonlocal count
        if count == question:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return False

    return asked


@pytest.mark.parametrize("interval_s", [1e-9, 0.02], ids=["saved at every step", "saved now and then"])
def test_kills_at_random_steps_change_no_bit(
    rows: tuple[Positions, Positions], tmp_path: Path, interval_s: float
) -> None:
    whole, network = learn(rows, tmp_path / "whole", 60, lambda: False)
    assert whole.steps == STEPS
    chance, folder = random.Random(interval_s), tmp_path / "killed"
    for _ in range(4):
        asked = killed_at(chance.randrange(1, 9))
        _, status = os.waitpid(forked(partial(learn, rows, folder, interval_s, asked)), 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    made, resumed = learn(rows, folder, interval_s, lambda: False)
    assert made.resumed or interval_s > 0.01
    assert made.history == whole.history
    assert made.best_epoch == whole.best_epoch and made.samples == whole.samples
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_setback_after_a_kill_goes_back_to_where_the_undisturbed_run_would(
    rows: tuple[Positions, Positions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = SupervisedLearner.step

    def spoilt(learner: SupervisedLearner, taken_rows: StepRows, number: int, rate: float) -> StepResult:
        made = step(learner, taken_rows, number, rate)
        return made._replace(taken=False) if number == 10 and rate > 0.004 else made

    monkeypatch.setattr(SupervisedLearner, "step", spoilt)
    whole, network = learn(rows, tmp_path / "whole", 60, lambda: False)
    assert whole.setbacks == 1
    # Two steps into the second epoch's checkpoints.
    child = forked(lambda: learn(rows, tmp_path / "killed", 1e-9, killed_at(10)))
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    made, resumed = learn(rows, tmp_path / "killed", 1e-9, lambda: False)
    assert made.resumed and made.setbacks == 1 and made.history == whole.history
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
