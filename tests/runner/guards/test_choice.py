"""Which worker a run gets: pure."""

import pytest

from runner.guards.choice import choose_worker
from schemas.machine import GpuFinding, GpuState
from schemas.training import Device

BOTH = frozenset({"tuner", "pipeline"})


def gpu(finding):
    return GpuState(finding=finding, detail=f"the look said {finding.value}")


@pytest.mark.parametrize("finding", GpuFinding)
def test_auto_is_the_pipeline_with_a_usable_gpu_else_the_tuner(finding):
    choice = choose_worker("auto", gpu(finding), BOTH, torch_installed=True)
    usable = finding is GpuFinding.USABLE
    assert choice.worker == ("pipeline" if usable else "tuner")
    assert choice.needs_gpu == usable
    assert f"the look said {finding.value}" in choice.reason


def test_why_not_is_told_apart():
    reasons = {
        choose_worker("auto", GpuState(finding=finding, detail="x"), BOTH, torch_installed=True).reason
        for finding in GpuFinding
    }
    assert len(reasons) == len(GpuFinding)


@pytest.mark.parametrize("finding", GpuFinding)
@pytest.mark.parametrize("wanted", ["pipeline", "tuner", "my_module:job"])
def test_a_forced_worker_is_honoured(wanted, finding):
    choice = choose_worker(wanted, gpu(finding), BOTH, torch_installed=True)
    assert choice.worker == wanted
    assert "asks for" in choice.reason
    there = finding in (GpuFinding.USABLE, GpuFinding.BUSY)
    assert choice.needs_gpu == (wanted == "pipeline" and there)
    assert "not installed" not in choice.reason


@pytest.mark.parametrize("finding", GpuFinding)
@pytest.mark.parametrize("device", [Device.CPU, Device.CUDA])
def test_a_configuration_that_names_a_device_asks_for_the_pipeline(device, finding):
    choice = choose_worker("auto", gpu(finding), BOTH, torch_installed=True, device=device)
    assert choice.worker == "pipeline"
    assert device.value in choice.reason
    there = finding in (GpuFinding.USABLE, GpuFinding.BUSY)
    assert choice.needs_gpu == (device is Device.CUDA and there)


def test_a_usable_gpu_chooses_the_pipeline_even_where_it_is_not_installed():
    choice = choose_worker("auto", gpu(GpuFinding.USABLE), {"tuner"}, torch_installed=False)
    assert choice.worker == "pipeline"
    assert "pipeline is not installed" in choice.reason


def test_a_missing_torch_is_told():
    choice = choose_worker("auto", gpu(GpuFinding.USABLE), BOTH, torch_installed=False)
    assert choice.worker == "pipeline"
    assert "pip install 'ouroboros[train]'" in choice.reason
    assert "torch" not in choose_worker("auto", gpu(GpuFinding.ABSENT), BOTH, torch_installed=False).reason
