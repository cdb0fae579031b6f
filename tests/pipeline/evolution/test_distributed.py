"""Two processes over gloo: they learn what one does, and end together."""

from pathlib import Path
from typing import Any

import pytest
import torch
from played_positions import played_lesson
from small_networks import small_network
from work_together import Dies, Refuses, Sums

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.dist_context import processes_for, run_together
from pipeline.evolution.fit_progress import FitReport
from pipeline.evolution.networks import Network
from pipeline.evolution.supervised import fit
from schemas.errors import DataError, MachineError, TrainingError
from schemas.network import NeuralNetworkConfig
from schemas.phases import TrainingPhaseConfig
from schemas.training import DistributedBackend, TrainingOptimizationConfig

CPU = torch.device("cpu")
IDLE = {"policy.bias", "pooling.score.bias"}
"""No output depends on them (a shift of all scores before a softmax): their gradients are rounding errors alone."""
ONE = TrainingOptimizationConfig(threads=1)
PHASE = TrainingPhaseConfig(learning_rate=0.003, batch_size=16, max_epochs=2, gradient_accumulation_steps=2)


def together(work: Any, processes: int = 2, **arguments: Any) -> Any:
    options: dict[str, Any] = {"listen": lambda message: None, "stop": lambda: False}
    return run_together(work, processes, CPU, ONE, **(options | arguments))


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """Without batch norm: each process has the averages of its own rows there."""
    rows = played_lesson(180)
    told: list[float] = []

    def learn(processes: int, folder: Path | None) -> tuple[FitReport, Network]:
        network = small_network(dropout_rate=0.0, batch_norm=False)
        made = fit(
            network, *rows, PHASE, TrainingOptimizationConfig(threads=1, distributed_processes=processes), seed=2,
            checkpoints=None if folder is None else CheckpointFolder(folder),
            report=lambda done, words, numbers: told.append(done), stop=lambda: False, device=CPU,
        )  # fmt: skip
        return made, network

    alone, network = learn(1, None)
    told.clear()
    both, shared = learn(2, tmp_path / "c")
    assert told[-1] == 1.0
    assert both.samples == alone.samples and both.steps == alone.steps and len(both.history) == 2
    for one, two in zip(alone.history, both.history, strict=True):
        assert two.training.total == pytest.approx(one.training.total, abs=1e-5)
        assert two.validation.total == pytest.approx(one.validation.total, abs=1e-5)
    for name, weight in network.state_dict().items():
        if name not in IDLE:
            assert torch.allclose(weight, shared.state_dict()[name], atol=1e-5), name
    assert not (tmp_path / "c" / ".dataset").exists()
    state = CheckpointFolder(tmp_path / "c").latest()
    assert state is not None and state.counters["kind"] == "supervised"


def test_they_add_up_follow_the_first_and_stop_when_asked() -> None:
    messages: list[Any] = []
    assert together(Sums(), listen=messages.append, stop=lambda: len(messages) == 2) == [3.0]
    assert sorted(messages) == [(rank, [3.0], "from 0", 1) for rank in range(2)]


def test_one_that_dies_ends_all() -> None:
    with pytest.raises(TrainingError, match=r"process 2 of 2 .* killed by SIGKILL"):
        together(Dies())


def test_an_error_of_ours_comes_back_as_it_was() -> None:
    with pytest.raises(DataError) as caught:
        together(Refuses(), 1)
    assert (caught.value.what, caught.value.where, caught.value.remedy) == (
        "these rows are bad",
        "row 7",
        "Use others.",
    )


def test_how_many_processes() -> None:
    four = TrainingOptimizationConfig(distributed_processes=4)
    assert processes_for(NeuralNetworkConfig(), four, CPU) == 4
    assert processes_for(NeuralNetworkConfig(use_multi_gpu=True), ONE, CPU) == 1
    gpu = torch.device("cuda")
    assert processes_for(NeuralNetworkConfig(), four, gpu) == 1


def test_all_gpus_are_used_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert processes_for(NeuralNetworkConfig(use_multi_gpu=True), ONE, torch.device("cuda")) == 3


def test_nccl_without_a_gpu_is_refused() -> None:
    wanted = TrainingOptimizationConfig(distributed_backend=DistributedBackend.NCCL)
    with pytest.raises(MachineError, match="NCCL"):
        run_together(Sums(), 2, CPU, wanted, listen=lambda message: None, stop=lambda: False)
