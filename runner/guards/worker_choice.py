"""Which worker a run gets. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from schemas.automation import AUTO_WORKER
from schemas.machine import GpuFinding, GpuState, TorchFinding, TorchState
from schemas.training import Device

PIPELINE = "pipeline"
TUNER = "tuner"
_GPU_FOUND = (GpuFinding.USABLE, GpuFinding.BUSY)
_NO_TORCH = (TorchFinding.ABSENT, TorchFinding.BROKEN)


@dataclass(frozen=True, slots=True)
class WorkerChoice:
    """A worker and why it is this one."""

    worker: str
    reason: str
    needs_gpu: bool
    """The run wants a GPU that is there, so the guards look at it and it is given to one run at a time."""
    torch: TorchState
    """As it was when the choice was made."""
    pending: str = ""
    """What the choice would hang on and nobody has answered yet; the guards wait for it a while."""


def choose_worker(
    wanted: str,
    gpu: GpuState,
    installed: Collection[str],
    *,
    torch: TorchState,
    device: Device = Device.AUTO,
) -> WorkerChoice:
    """`auto` is the self-play pipeline with a usable GPU and a torch that can be imported, else the Go-weight tuner;
    any other name is honoured.

    A training configuration that names a device asks for the pipeline: the tuner computes on none.

    A worker that is not installed is chosen all the same where it is the right one: its run then fails and says
    what to install, instead of another worker quietly doing something else.

    Args:
        wanted: `TrainingSchedule.worker`.
        gpu: the last look at the GPUs.
        installed: names of the installed workers.
        torch: whether torch can be imported, as far as it was tried.
        device: `TrainingConfiguration.device`.
    """
    if wanted != AUTO_WORKER:
        reason = f"The schedule asks for the worker {wanted}; the search for a GPU found: {gpu.detail}."
        return _honoured(wanted, reason, gpu, installed, torch, device)
    if device is not Device.AUTO:
        reason = f"The configuration asks for the device {device.value}; the search for a GPU found: {gpu.detail}."
        return _honoured(PIPELINE, reason, gpu, installed, torch, device)
    if gpu.finding is not GpuFinding.USABLE:
        reason = f"{_WHY_NOT[gpu.finding]}: {gpu.detail}."
        return _chosen(TUNER, reason, installed, torch, pending=_silence(gpu))
    if torch.finding in _NO_TORCH:
        reason = f"A GPU can be used ({gpu.detail}), but {torch.detail}, so the Go-weight tuner."
        return _chosen(TUNER, reason, installed, torch)
    pending = torch.detail if torch.finding is TorchFinding.UNTRIED else ""
    return _chosen(PIPELINE, f"A GPU can be used: {gpu.detail}.", installed, torch, needs_gpu=True, pending=pending)


def wants_torch(wanted: str, gpu: GpuState, device: Device) -> bool:
    """Whether a choice hangs on torch: it would be the pipeline. An import is too dear to be tried for nothing."""
    if wanted != AUTO_WORKER:
        return wanted == PIPELINE
    return device is not Device.AUTO or gpu.finding is GpuFinding.USABLE


_WHY_NOT = {
    GpuFinding.ABSENT: "No GPU, so the Go-weight tuner",
    GpuFinding.HIDDEN: "The GPUs are hidden from us, so the Go-weight tuner",
    GpuFinding.DRIVER_BROKEN: "The GPU's driver does not work, so the Go-weight tuner",
    GpuFinding.SILENT: "The GPU's driver does not answer, so the Go-weight tuner",
    GpuFinding.BUSY: 'The GPU is in use by others, so the Go-weight tuner (worker = "pipeline" would wait for it)',
}


def _honoured(
    worker: str, reason: str, gpu: GpuState, installed: Collection[str], torch: TorchState, device: Device
) -> WorkerChoice:
    """A worker that was asked for, with what stands in its way."""
    if worker != PIPELINE:
        return _chosen(worker, reason, installed, torch)
    if worker in installed and torch.finding in _NO_TORCH:
        reason += f" Its run will fail: {torch.detail}."
    if device is Device.CPU:
        return _chosen(worker, reason, installed, torch)
    needs_gpu = gpu.finding in _GPU_FOUND
    return _chosen(worker, reason, installed, torch, needs_gpu=needs_gpu, pending=_silence(gpu))


def _chosen(
    worker: str,
    reason: str,
    installed: Collection[str],
    torch: TorchState,
    *,
    needs_gpu: bool = False,
    pending: str = "",
) -> WorkerChoice:
    if worker not in installed and ":" not in worker:
        reason += f" The worker {worker} is not installed, so the run will fail and say what to install."
    return WorkerChoice(worker, reason, needs_gpu, torch, pending)


def _silence(gpu: GpuState) -> str:
    return gpu.detail if gpu.finding is GpuFinding.SILENT else ""
