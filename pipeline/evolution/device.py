"""On what a network computes: the device, its threads, its precision, and the network that suits it."""

import contextlib
import ctypes
import sys
from contextlib import AbstractContextManager
from typing import Final

import torch

from pipeline.evolution.networks import Network, build_network
from pipeline.evolution.training_state import load_weights
from schemas.cgroup import usable_processors
from schemas.errors import MachineError
from schemas.network import NeuralNetworkConfig, light_network
from schemas.settings import Settings
from schemas.training import TrainingOptimizationConfig

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_KEEP_BYTES: Final = 1 << 30


def choose_device(wanted: str = "auto") -> torch.device:
    """Return the device to train on: "cuda" or "cpu", "auto": the GPU where there is one.

    Raises:
        MachineError: "cuda" was asked for and torch finds no GPU.
        ValueError: another word.
    """
    if wanted not in {"auto", "cpu", "cuda"}:
        raise ValueError(f"unknown device {wanted!r}; known are auto, cpu and cuda")
    there = wanted != "cpu" and torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise MachineError("there is no GPU that torch can use", where="cuda", remedy="Use `cpu`, or check the driver.")
    return torch.device("cuda" if there else "cpu")


def prepare_cpu(threads: int | None = None) -> int:
    """Set this process up for computing on the CPU; return the number of threads.

    Threads are as asked, or one per core this process may use. Numbers too small for a normal float32 count as zero:
    optimizers produce them as moments fade, and they cost a hundred times the time. glibc is told to keep freed
    memory, or the activations of every batch are mapped, faulted in and unmapped anew.
    """
    count = threads or usable_processors()
    torch.set_num_threads(count)
    torch.set_flush_denormal(True)
    with contextlib.suppress(RuntimeError):  # it may be set once, before the first parallel work
        torch.set_num_interop_threads(1)
    _keep_freed_memory()
    return count


def _keep_freed_memory() -> None:
    if not sys.platform.startswith("linux"):
        return
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:  # musl, which has no such switch
        return
    for option in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
        library.mallopt(option, _KEEP_BYTES)


def precision(device: torch.device, *, mixed: bool) -> AbstractContextManager[object]:
    """Return the context in which a network computes: bfloat16 where `mixed` and the device is a GPU, else float32.

    bfloat16 has float32's range, so losses need no scaling.
    """
    if mixed and device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return contextlib.nullcontext()


def detect_anomalies() -> None:
    """Let autograd name the operation that makes a NaN, in this process from now on; slower."""
    torch.autograd.set_detect_anomaly(True)


def settings_for_device(settings: Settings, device: str) -> Settings:
    """The settings with the light network on a CPU, if the network was left as it comes; else the same object."""
    if device != "cpu" or settings.neural_network != NeuralNetworkConfig():
        return settings
    return settings.model_copy(update={"neural_network": light_network()})


def replica_devices(network: Network) -> list[torch.device]:
    """Where the replicas of a network compute, its own device first."""
    own = next(network.parameters()).device
    if own.type != "cuda" or not network.config.use_multi_gpu:
        return [own]
    others = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return [own, *(device for device in others if device.index != (own.index or 0))]


def replica_of(network: Network, device: torch.device) -> Network:
    """A network of the same build, weights and ways of computing, on another device, ready to play (`eval`)."""
    made = build_network(network.config, network.frame).to(device).eval()
    made.low_precision, made.recompute, made.pack_leaves = (
        network.low_precision, network.recompute, network.pack_leaves,
    )  # fmt: skip
    load_weights(made, network.state_dict())
    return made


def low_precision(device: torch.device, optimization: TrainingOptimizationConfig) -> bool:
    """Whether to compute in bfloat16: where the settings allow it and the device is faster in it."""
    if not optimization.use_mixed_precision:
        return False
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
