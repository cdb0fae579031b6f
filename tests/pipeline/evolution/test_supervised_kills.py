"""A training killed at any step and resumed comes to what an undisturbed one comes to, bit for bit."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import supervised_lives
import torch
from cradle import Cradle, cradle
from supervised_lives import STEPS, learn, spoilt

from pipeline.evolution.supervised_step import SupervisedLearner


@pytest.fixture(scope="module")
def lives() -> Iterator[Cradle]:
    with cradle(Path(supervised_lives.__file__)) as made:
        yield made


@pytest.mark.parametrize("interval_s", [1e-9, 0.02], ids=["saved at every step", "saved now and then"])
def test_kills_at_random_steps_change_no_bit(lives: Cradle, tmp_path: Path, interval_s: float) -> None:
    whole, network = learn(tmp_path / "whole", 60)
    assert whole.steps == STEPS
    chance, folder = random.Random(interval_s), tmp_path / "killed"
    for _ in range(4):
        code, said = lives.bear(tmp_path / "said", str(folder), interval_s, chance.randrange(1, 9), False)
        assert code in {0, -signal.SIGKILL}, said
    made, resumed = learn(folder, interval_s)
    assert made.resumed or interval_s > 0.01
    assert made.history == whole.history
    assert made.best_epoch == whole.best_epoch and made.samples == whole.samples
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_setback_after_a_kill_goes_back_to_where_the_undisturbed_run_would(
    lives: Cradle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SupervisedLearner, "step", spoilt)
    whole, network = learn(tmp_path / "whole", 60)
    assert whole.setbacks == 1
    # Two steps into the second epoch's checkpoints.
    code, said = lives.bear(tmp_path / "said", str(tmp_path / "killed"), 1e-9, 10, True)
    assert code == -signal.SIGKILL, said
    made, resumed = learn(tmp_path / "killed", 1e-9)
    assert made.resumed and made.setbacks == 1 and made.history == whole.history
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
