"""Which worker a run gets. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from schemas.automation import AUTO_WORKER
from schemas.machine import GpuFinding, GpuState
from schemas.training import Device

PIPELINE = "pipeline"
TUNER = "tuner"
_GPU_FOUND = (GpuFinding.USABLE, GpuFinding.BUSY)


@dataclass(frozen=True, slots=True)
class WorkerChoice:
    """A worker and why it is this one."""

    worker: str
    reason: str
    needs_gpu: bool
    """The run wants a GPU that is there, so the guards look at it and it is given to one run at a time."""


def choose_worker(
    wanted: str,
    gpu: GpuState,
    installed: Collection[str],
    *,
    torch_installed: bool,
    device: Device = Device.AUTO,
) -> WorkerChoice:
    """`auto` is the self-play pipeline with a usable GPU, else the Go-weight tuner; any other name is honoured.

    A training configuration that names a device asks for the pipeline: the tuner computes on none.

    A worker that is not installed is chosen all the same where it is the right one: its run then fails and says
    what to install, instead of another worker quietly doing something else.

    Args:
        wanted: `TrainingSchedule.worker`.
        gpu: the last look at the GPUs.
        installed: names of the installed workers.
        torch_installed: whether torch could be imported.
        device: `TrainingConfiguration.device`.
    """
    if wanted != AUTO_WORKER:
        reason = f"The schedule asks for the worker {wanted}; the search for a GPU found: {gpu.detail}."
        return _chosen(wanted, reason, gpu, installed, torch_installed, device)
    if device is not Device.AUTO:
        reason = f"The configuration asks for the device {device.value}; the search for a GPU found: {gpu.detail}."
        return _chosen(PIPELINE, reason, gpu, installed, torch_installed, device)
    if gpu.finding is GpuFinding.USABLE:
        return _chosen(PIPELINE, f"A GPU can be used: {gpu.detail}.", gpu, installed, torch_installed, device)
    return _chosen(TUNER, f"{_WHY_NOT[gpu.finding]}: {gpu.detail}.", gpu, installed, torch_installed, device)


_WHY_NOT = {
    GpuFinding.ABSENT: "No GPU, so the Go-weight tuner",
    GpuFinding.HIDDEN: "The GPUs are hidden from us, so the Go-weight tuner",
    GpuFinding.DRIVER_BROKEN: "The GPU's driver does not work, so the Go-weight tuner",
    GpuFinding.BUSY: 'The GPU is in use by others, so the Go-weight tuner (worker = "pipeline" would wait for it)',
}


def _chosen(
    worker: str, reason: str, gpu: GpuState, installed: Collection[str], torch_installed: bool, device: Device
) -> WorkerChoice:
    if worker not in installed and ":" not in worker:
        reason += f" The worker {worker} is not installed, so the run will fail and say what to install."
    elif worker == PIPELINE and not torch_installed:
        reason += " torch is not installed, so the run will fail: pip install 'ouroboros[train]'."
    needs_gpu = worker == PIPELINE and device is not Device.CPU and gpu.finding in _GPU_FOUND
    return WorkerChoice(worker, reason, needs_gpu)
