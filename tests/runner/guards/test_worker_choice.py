"""Which worker a run gets: pure."""

import pytest

from runner.guards.torch_import import ABSENT, NOT_ASKED
from runner.guards.worker_choice import choose_worker, wants_torch
from schemas.machine import GpuFinding, GpuState, TorchFinding, TorchState
from schemas.training import Device

TORCH = TorchState(finding=TorchFinding.IMPORTABLE, detail="torch can be imported")
BROKEN = TorchState(finding=TorchFinding.BROKEN, detail="torch cannot be imported (OSError: libcudart.so.12)")
BOTH = frozenset({"tuner", "pipeline"})


def gpu(finding):
    return GpuState(finding=finding, detail=f"the look said {finding.value}")


@pytest.mark.parametrize("finding", GpuFinding)
def test_auto_is_the_pipeline_with_a_usable_gpu_else_the_tuner(finding):
    choice = choose_worker("auto", gpu(finding), BOTH, torch=TORCH)
    usable = finding is GpuFinding.USABLE
    assert choice.worker == ("pipeline" if usable else "tuner")
    assert choice.needs_gpu == usable
    assert f"the look said {finding.value}" in choice.reason


def test_why_not_is_told_apart():
    reasons = {
        choose_worker("auto", GpuState(finding=finding, detail="x"), BOTH, torch=TORCH).reason for finding in GpuFinding
    }
    assert len(reasons) == len(GpuFinding)


@pytest.mark.parametrize("finding", GpuFinding)
@pytest.mark.parametrize("wanted", ["pipeline", "tuner", "my_module:job"])
def test_a_forced_worker_is_honoured(wanted, finding):
    choice = choose_worker(wanted, gpu(finding), BOTH, torch=TORCH)
    assert choice.worker == wanted
    assert "asks for" in choice.reason
    there = finding in (GpuFinding.USABLE, GpuFinding.BUSY)
    assert choice.needs_gpu == (wanted == "pipeline" and there)
    assert "not installed" not in choice.reason


@pytest.mark.parametrize("finding", GpuFinding)
@pytest.mark.parametrize("device", [Device.CPU, Device.CUDA])
def test_a_configuration_that_names_a_device_asks_for_the_pipeline(device, finding):
    choice = choose_worker("auto", gpu(finding), BOTH, torch=TORCH, device=device)
    assert choice.worker == "pipeline"
    assert device.value in choice.reason
    there = finding in (GpuFinding.USABLE, GpuFinding.BUSY)
    assert choice.needs_gpu == (device is Device.CUDA and there)


def test_a_usable_gpu_chooses_the_pipeline_even_where_it_is_not_installed():
    choice = choose_worker("auto", gpu(GpuFinding.USABLE), {"tuner"}, torch=TORCH)
    assert choice.worker == "pipeline"
    assert "pipeline is not installed" in choice.reason


@pytest.mark.parametrize(
    ("torch", "words"), [(ABSENT, "pip install 'ouroboros[train]'"), (BROKEN, "OSError: libcudart.so.12")]
)
def test_without_a_torch_that_can_be_imported_a_usable_gpu_is_left_to_the_tuner_and_the_reason_told(torch, words):
    choice = choose_worker("auto", gpu(GpuFinding.USABLE), BOTH, torch=torch)
    assert (choice.worker, choice.needs_gpu) == ("tuner", False)
    assert words in choice.reason
    assert "torch" not in choose_worker("auto", gpu(GpuFinding.ABSENT), BOTH, torch=NOT_ASKED).reason


@pytest.mark.parametrize("torch", [ABSENT, BROKEN])
def test_who_asks_for_the_pipeline_gets_it_and_is_told_why_it_will_fail(torch):
    for choice in (
        choose_worker("pipeline", gpu(GpuFinding.USABLE), BOTH, torch=torch),
        choose_worker("auto", gpu(GpuFinding.ABSENT), BOTH, torch=torch, device=Device.CPU),
    ):
        assert choice.worker == "pipeline"
        assert f"Its run will fail: {torch.detail}" in choice.reason


def test_a_choice_that_hangs_on_an_answer_says_so():
    trying = TorchState(finding=TorchFinding.UNTRIED, detail="torch is being tried")
    assert choose_worker("auto", gpu(GpuFinding.USABLE), BOTH, torch=trying).pending == "torch is being tried"
    silent = gpu(GpuFinding.SILENT)
    assert choose_worker("auto", silent, BOTH, torch=NOT_ASKED).pending == silent.detail
    assert choose_worker("pipeline", silent, BOTH, torch=TORCH).pending == silent.detail
    assert choose_worker("tuner", silent, BOTH, torch=NOT_ASKED).pending == ""
    assert choose_worker("auto", silent, BOTH, torch=TORCH, device=Device.CPU).pending == ""


@pytest.mark.parametrize(
    ("wanted", "finding", "device", "asked"),
    [
        ("auto", GpuFinding.ABSENT, Device.AUTO, False),
        ("auto", GpuFinding.USABLE, Device.AUTO, True),
        ("auto", GpuFinding.BUSY, Device.AUTO, False),
        ("auto", GpuFinding.ABSENT, Device.CPU, True),
        ("pipeline", GpuFinding.ABSENT, Device.AUTO, True),
        ("tuner", GpuFinding.USABLE, Device.CUDA, False),
        ("my_module:job", GpuFinding.USABLE, Device.AUTO, False),
    ],
)
def test_torch_is_tried_only_where_the_choice_hangs_on_it(wanted, finding, device, asked):
    assert wants_torch(wanted, gpu(finding), device) is asked
