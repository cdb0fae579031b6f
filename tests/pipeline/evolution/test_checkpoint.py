"""Checkpoints: everything comes back, and only what is whole."""

import errno
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.training_state import TrainingState
from schemas.errors import MachineError, ModelError


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def checkpoints(tmp_path: Path, told: list[str]) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints", keep=3, tell=told.append)


def state_of(step: int) -> TrainingState:
    return TrainingState({"weight": torch.full((3,), float(step))}, counters={"step": step})


def step_of(state: TrainingState | None) -> object:
    return state.counters["step"] if state else None


def net_and_optimizer() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(5)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4, 1))
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net, torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1, betas=(0.8, 0.99))


def train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int, own: np.random.Generator) -> list[float]:
    losses = []
    for _ in range(steps):
        scale = own.random() + random.random() + np.random.random()
        loss = (net(torch.randn(8, 2, 3, 3) * scale) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_run_goes_on_from_a_file_bit_for_bit(checkpoints: CheckpointFolder) -> None:
    net, optimizer = net_and_optimizer()
    own = np.random.default_rng(3)
    train(net, optimizer, 3, own)
    checkpoints.save(TrainingState.capture(net, optimizer, counters={"lr": 0.1 + 0.2}, generators={"own": own}))
    undisturbed = train(net, optimizer, 3, own)

    again, its_optimizer = net_and_optimizer()
    its_own = np.random.default_rng(99)
    state = checkpoints.latest()
    assert state is not None
    state.restore(again, its_optimizer, generators={"own": its_own})
    assert train(again, its_optimizer, 3, its_own) == undisturbed
    assert state.counters["lr"] == 0.1 + 0.2
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    assert its_optimizer.param_groups[0]["betas"] == (0.8, 0.99)


def test_the_moments_of_a_channels_last_network_stay_channels_last(checkpoints: CheckpointFolder) -> None:
    net, optimizer = net_and_optimizer()
    train(net, optimizer, 1, np.random.default_rng(0))
    state = TrainingState.capture(net, optimizer)
    again, its_optimizer = net_and_optimizer()
    state.restore(again, its_optimizer)
    weight = next(again.parameters())
    assert its_optimizer.state[weight]["exp_avg"].stride() == weight.stride() != weight.contiguous().stride()


def test_what_was_captured_does_not_change_with_the_network() -> None:
    net, optimizer = net_and_optimizer()
    train(net, optimizer, 1, np.random.default_rng(0))
    state = TrainingState.capture(net, optimizer)
    before = {name: tensor.clone() for name, tensor in state.network.items()}
    assert state.optimizer
    moments = {name: tensor.clone() for name, tensor in state.optimizer.moments.items()}
    train(net, optimizer, 2, np.random.default_rng(0))
    assert all(torch.equal(tensor, state.network[name]) for name, tensor in before.items())
    assert all(torch.equal(tensor, state.optimizer.moments[name]) for name, tensor in moments.items())


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.Philox, np.random.MT19937, np.random.SFC64])
def test_any_numpy_generator_goes_on(checkpoints: CheckpointFolder, kind: type[np.random.BitGenerator]) -> None:
    own = np.random.Generator(kind(7))
    own.random(5)
    net = nn.Linear(1, 1)
    checkpoints.save(TrainingState.capture(net, generators={"own": own}))
    expected = own.random(4)
    state = checkpoints.latest()
    assert state
    other = np.random.Generator(kind(8))
    state.restore(net, generators={"own": other})
    assert (other.random(4) == expected).all()


def test_arrays_come_back_by_name(checkpoints: CheckpointFolder) -> None:
    cursor = np.arange(6, dtype=np.int64).reshape(2, 3)[:, ::2]
    half = torch.ones(2, 2, dtype=torch.bfloat16)
    net = nn.Linear(1, 1)
    checkpoints.save(TrainingState.capture(net, arrays={"league/3/w": half, "league/4/w": half * 2, "cursor": cursor}))
    state = checkpoints.latest()
    assert state
    assert (state.array("cursor") == cursor).all() and state.array("cursor").dtype == np.int64
    assert torch.equal(state.arrays_under("league")["4/w"], half * 2)
    assert sorted(state.arrays_under("league")) == ["3/w", "4/w"]
    assert state.optimizer is None


def test_only_the_newest_stay(checkpoints: CheckpointFolder) -> None:
    for step in range(7):
        checkpoints.save(state_of(step))
    assert checkpoints.names() == ["00000005", "00000006", "00000007"]
    assert step_of(checkpoints.latest()) == 6
    assert step_of(checkpoints.load("00000006")) == 5


def test_going_back_forgets_what_is_newer(checkpoints: CheckpointFolder) -> None:
    for step in range(3):
        checkpoints.save(state_of(step))
    checkpoints.forget_after("00000002")
    assert step_of(checkpoints.latest()) == 1
    assert [path.name for path in checkpoints.path.iterdir() if path.name.startswith(".")] == []


DAMAGES = {
    "cut tensors": (lambda folder: os.truncate(folder / "state.safetensors", 40), "SHA-256"),
    "a flipped bit": (lambda folder: _flip(folder / "state.safetensors"), "SHA-256"),
    "no tensors": (lambda folder: (folder / "state.safetensors").unlink(), "state.safetensors is missing"),
    "no words": (lambda folder: (folder / "state.json").unlink(), "state.json is missing"),
    "empty words": (lambda folder: os.truncate(folder / "state.json", 0), "no JSON"),
    "a changed counter": (
        lambda folder: (folder / "state.json").write_text(
            (folder / "state.json").read_text().replace('"step": 1', '"step": 3')
        ),
        "SHA-256 that it states",
    ),
    "a list": (lambda folder: (folder / "state.json").write_text("[]"), "no object"),
}


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_passed_by_and_told_of(checkpoints: CheckpointFolder, told: list[str], damage: str) -> None:
    harm, reason = DAMAGES[damage]
    checkpoints.save(state_of(0))
    newest = checkpoints.save(state_of(1))
    harm(newest)
    with pytest.raises(ModelError, match="cannot be used"):
        checkpoints.load(newest.name)
    assert step_of(checkpoints.latest()) == 0
    assert len(told) == 1 and reason in told[0] and str(newest) in told[0]
    assert not newest.exists() and newest.with_name("damaged-00000002").is_dir()
    assert checkpoints.save(state_of(2)).name == "00000003"  # its number is not used again
    assert step_of(checkpoints.latest()) == 2 and len(told) == 1


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.EACCES])
def test_one_that_cannot_be_read_just_now_is_not_called_damaged(
    checkpoints: CheckpointFolder, told: list[str], monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    """All were set aside one after the other, and a learner of months began anew."""
    checkpoints.save(state_of(0))
    checkpoints.save(state_of(1))

    def refuse(_path: Path) -> bytes:
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(MachineError, match="cannot be read just now"):
            checkpoints.latest()
    assert (step_of(checkpoints.latest()), told) == (1, [])


def test_a_newer_version_is_left_alone(checkpoints: CheckpointFolder) -> None:
    newest = checkpoints.save(state_of(0))
    words = json.loads((newest / "state.json").read_text())
    (newest / "state.json").write_text(json.dumps(words | {"version": 2}))
    with pytest.raises(ModelError, match="newer program"):
        checkpoints.latest()
    assert newest.is_dir()


def test_damaged_ones_do_not_pile_up(checkpoints: CheckpointFolder) -> None:
    for step in range(6):
        _flip(checkpoints.save(state_of(step)) / "state.safetensors")
        assert checkpoints.latest() is None
    checkpoints.save(state_of(9))
    assert sorted(entry.name for entry in checkpoints.path.glob("damaged-*")) == [
        f"damaged-{number:08d}" for number in (4, 5, 6)
    ]


def test_an_empty_folder_holds_none(checkpoints: CheckpointFolder, told: list[str]) -> None:
    assert checkpoints.latest() is None and checkpoints.names() == [] and told == []
    with pytest.raises(ModelError, match="There are: none"):
        checkpoints.load("00000001")


def test_a_number_that_is_no_json_is_refused_before_anything_is_written(checkpoints: CheckpointFolder) -> None:
    checkpoints.save(state_of(0))
    with pytest.raises(ValueError, match="JSON"):
        checkpoints.save(TrainingState({}, counters={"loss": float("nan")}))
    assert checkpoints.names() == ["00000001"]


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be saved"):
        CheckpointFolder(tmp_path / "file").save(state_of(0))


def test_another_network_is_refused() -> None:
    state = TrainingState.capture(nn.Linear(2, 2))
    with pytest.raises(ModelError, match="built otherwise"):
        state.restore(nn.Linear(3, 2))
    with pytest.raises(ModelError, match="no optimizer"):
        net = nn.Linear(2, 2)
        state.restore(net, torch.optim.AdamW(net.parameters()))
