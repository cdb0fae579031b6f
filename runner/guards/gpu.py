"""One look at the NVIDIA GPUs, through NVML: is there one, may we see it, does its driver work, is it free?"""

import ctypes
import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runner.guards.cuda_visible import VARIABLE, Visible, VisibleDevice, visible_devices
from schemas.machine import GpuFinding, GpuState, GpuUse
from schemas.outside_text import line

_log = logging.getLogger(__name__)
_GIB = 1024.0**3
_MIB = 1024.0**2
_BUSY_PERCENT = 50.0
"""A GPU this much in use with no process that we can see works for somebody in another container."""
_FULL_SHARE = 0.1
"""A GPU with less of its memory free, and no process on it that we can see, is held by somebody elsewhere too."""
LIBRARY = "libnvidia-ml.so.1"
_NAME = 100
_NVIDIA_PCI = "0x10de"


class GpuProbe(Protocol):
    """What the guards and the worker's sampling ask about GPUs."""

    def look(self, own_pids: Collection[int] = ()) -> GpuState:
        """The state now; processes in `own_pids` do not count as others."""
        ...

    def use_of(self, pids: set[int]) -> GpuUse | None:
        """What these processes hold of the GPUs; None when nothing, or when it cannot be told."""
        ...


def driver_traces(root: Path = Path("/")) -> list[str]:
    """Signs of an NVIDIA driver or device below `root`, for telling a broken driver from a machine without a GPU."""
    found = [str(path) for path in sorted((root / "dev").glob("nvidia*"))]
    found += [str(path) for path in [root / "proc/driver/nvidia/version", root / "dev/dxg"] if path.exists()]
    return found + _pci_devices(root / "sys/bus/pci/devices")


def _pci_devices(folder: Path) -> list[str]:
    found = []
    for device in sorted(folder.glob("*")):
        try:
            vendor = (device / "vendor").read_text(encoding="ascii").strip()
            kind = (device / "class").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue  # a device that shows nothing of itself is no sign of anything
        if vendor == _NVIDIA_PCI and kind.startswith("0x03"):
            found.append(f"the PCI device {device.name}")
    return found


def load_nvml() -> Any | None:
    """The `pynvml` module, None where the driver's library is missing.

    The module is imported only then: it costs 14 MiB and 80 ms, and most machines of our users have no GPU.
    """
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    import pynvml

    return pynvml


@dataclass(frozen=True, slots=True)
class _Look:
    """One visible device as it stands."""

    name: str
    free_gb: float | None
    """None: it does not tell."""
    total_gb: float | None
    shares_memory: bool
    """It has no memory of its own."""
    utilisation_percent: float | None
    others: int
    ours: int

    @property
    def full(self) -> bool:
        """Held by somebody whom we cannot see: another container, or a driver that lists no processes."""
        if self.free_gb is None or self.total_gb is None or self.ours:
            return False
        return self.free_gb < _FULL_SHARE * self.total_gb

    @property
    def busy(self) -> bool:
        return self.others > 0 or (self.utilisation_percent or 0.0) >= _BUSY_PERCENT or self.full

    @property
    def why_busy(self) -> str:
        """In words; "" when it is not."""
        if self.others:
            return f"{self.others} other process{'es' if self.others > 1 else ''} on it"
        if self.full:
            return "its memory is held by processes that we cannot see"
        return f"{self.utilisation_percent:.0f} % in use by processes that we cannot see" if self.busy else ""

    @property
    def memory(self) -> str:
        """In words."""
        if self.shares_memory:
            return "which shares the machine's memory"
        if self.free_gb is None or self.total_gb is None:
            return "which does not tell its memory"
        return f"{self.free_gb:.1f} of {self.total_gb:.1f} GiB free"


class NvmlProbe:
    """A `GpuProbe` on NVML.

    Args:
        environment: where CUDA_VISIBLE_DEVICES is read, at each look.
        nvml: gives the `pynvml` module, or None without the driver's library.
        traces: gives the signs of a driver or device.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        nvml: Callable[[], Any | None] = load_nvml,
        traces: Callable[[], list[str]] = driver_traces,
    ) -> None:
        self._environment = environment
        self._load = nvml
        self._traces = traces
        self._nvml: Any | None = None
        """Set while NVML is initialised."""

    def look(self, own_pids: Collection[int] = ()) -> GpuState:
        """The state now, in plain words; never raises."""
        problem = self._open()
        if problem is not None:
            return problem
        nvml = self._nvml
        assert nvml is not None
        try:
            devices, handles, lost = self._devices(nvml)
            value = self._environment.get(VARIABLE)
            visible = visible_devices(devices, value)
            if not devices and not lost:
                return GpuState(finding=GpuFinding.ABSENT, detail="the NVIDIA driver is loaded, but finds no GPU")
            if devices and not visible and not lost:
                return _hidden(value, len(devices))
            looks = []
            for item in visible:
                try:
                    looks.append(self._inspect(nvml, handles, item, own_pids))
                except nvml.NVMLError as error:
                    lost.append(f"GPU {item.device.index}: {error}")
        except nvml.NVMLError as error:
            lost, looks = [str(error)], []
        if not looks:
            self._close()  # a lost GPU or a driver replaced under us: begin anew at the next look
            return _broken(f"the NVIDIA driver fails at a look at its GPUs ({'; '.join(lost)})", "Restart the machine")
        return _state(looks, lost)

    def use_of(self, pids: set[int]) -> GpuUse | None:
        """What these processes hold; None when nothing, or when it cannot be told.

        NVML knows processes by their number in the outermost PID name space: in a container that has its own, none
        of them is found and the answer is None.
        """
        if self._open() is not None:
            return None
        nvml = self._nvml
        assert nvml is not None
        memory, utilisations, found = 0.0, [], False
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as error:
            _log.warning("Cannot sample the GPU use of a run: %s", error)
            self._close()
            return None
        for index in range(count):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                mine = [item for item in _processes(nvml, handle) if item.pid in pids]
                if mine:
                    found = True
                    memory += sum(item.usedGpuMemory or 0 for item in mine) / _MIB
                    utilisations.append(_utilisation(nvml, handle))
            except nvml.NVMLError as error:  # a lost GPU: the others still tell
                _log.debug("Cannot sample the use of GPU %s: %s", index, error)
        known = [value for value in utilisations if value is not None]
        mean = sum(known) / len(known) if known else None
        return GpuUse(memory_mb=memory, utilisation_percent=mean) if found else None

    def _open(self) -> GpuState | None:
        """Initialise NVML; None when that stands, else what is wrong."""
        if self._nvml is not None:
            return None
        nvml, traces = self._load(), self._traces()
        if nvml is None:
            return without_library(traces)
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            return _no_start(nvml, error, traces)
        self._nvml = nvml
        return None

    def _close(self) -> None:
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError as error:
                _log.debug("NVML does not shut down: %s", error)

    def _devices(self, nvml: Any) -> tuple[list[VisibleDevice], dict[str, Any], list[str]]:
        """Those that answer, a handle for each UUID, and in words those that do not."""
        devices, handles, lost = [], {}, []
        for index in range(nvml.nvmlDeviceGetCount()):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                uuid = nvml.nvmlDeviceGetUUID(handle)
                slices = {nvml.nvmlDeviceGetUUID(item): item for item in _slices(nvml, handle)}
            except nvml.NVMLError as error:
                lost.append(f"GPU {index}: {error}")
                continue
            handles.update({uuid: handle, **slices})
            devices.append(VisibleDevice(index=index, uuid=uuid, mig_uuids=tuple(slices)))
        return devices, handles, lost

    def _inspect(self, nvml: Any, handles: dict[str, Any], item: Visible, own_pids: Collection[int]) -> _Look:
        handle = handles[item.mig_uuid or item.device.uuid]
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            shared = memory.total == 0
        except nvml.NVMLError_NotSupported:  # GB10, Jetson
            memory, shared = None, True
        except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NoPermission):
            memory, shared = None, False
        processes = _processes(nvml, handle)
        others = [process for process in processes if process.pid not in own_pids]
        return _Look(
            name=line(str(_figure(nvml, nvml.nvmlDeviceGetName, handle) or ""), _NAME) or f"GPU {item.device.index}",
            free_gb=memory.free / _GIB if memory and not shared else None,
            total_gb=memory.total / _GIB if memory and not shared else None,
            shares_memory=shared,
            utilisation_percent=_utilisation(nvml, handle),
            others=len(others),
            ours=len(processes) - len(others),
        )


def without_library(traces: list[str]) -> GpuState:
    """What it means that the driver's library is not there."""
    if traces:
        signs = ", ".join(traces)
        return _broken(f"{signs} is there, but {LIBRARY} is not", "Install the driver's user-space part")
    return GpuState(finding=GpuFinding.ABSENT, detail="this machine has no NVIDIA GPU")


def _no_start(nvml: Any, error: Exception, traces: list[str]) -> GpuState:
    """Why NVML does not start, as far as its error tells."""
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        if not traces:  # a CUDA container image on a machine without a GPU
            return GpuState(finding=GpuFinding.ABSENT, detail="the NVIDIA library is installed, but there is no GPU")
        return _broken(f"{', '.join(traces)} is there, but the driver is not loaded", "Install or load it")
    if isinstance(error, nvml.NVMLError_LibRmVersionMismatch):
        return _broken(f"the driver was updated while in use ({error})", "Restart the machine")
    if isinstance(error, nvml.NVMLError_NoPermission):
        return _broken(f"the GPU's device files are closed to us ({error})", "Join their group, often `video`")
    return _broken(f"the NVIDIA driver does not start ({error})", "See what `nvidia-smi` says")


def _slices(nvml: Any, handle: Any) -> list[Any]:
    """The MIG devices of a GPU, [] for one that is not cut up."""
    try:
        if nvml.nvmlDeviceGetMigMode(handle)[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return []
        count = nvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):  # no such GPU, or a driver older than it
        return []
    found = []
    for index in range(count):
        try:
            found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index))
        except nvml.NVMLError_NotFound:  # places without a slice
            continue
    return found


def _figure(nvml: Any, ask: Callable[[Any], Any], handle: Any) -> Any | None:
    """What a device says of itself; None where it, or its driver, or our rights, do not allow the question."""
    try:
        return ask(handle)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NoPermission):
        return None


def _processes(nvml: Any, handle: Any) -> list[Any]:
    return list(_figure(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle) or [])


def _utilisation(nvml: Any, handle: Any) -> float | None:
    rates = _figure(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)  # None: a MIG slice, or an old device
    return None if rates is None else float(rates.gpu)


def _state(looks: list[_Look], lost: list[str]) -> GpuState:
    best = max(looks, key=lambda look: (not look.busy, look.free_gb or 0.0))
    words = [f"{best.name}, {best.memory}"]
    if len(looks) > 1:
        words.append(f"the best of {len(looks)}")
    words += [best.why_busy] if best.busy else []
    words += [f"{len(lost)} lost ({'; '.join(lost)})"] if lost else []
    return GpuState(
        finding=GpuFinding.BUSY if best.busy else GpuFinding.USABLE,
        detail=", ".join(words),
        free_memory_gb=best.free_gb,
        total_memory_gb=best.total_gb,
        shares_memory=best.shares_memory,
        utilisation_percent=best.utilisation_percent,
        other_processes=best.others,
    )


def _hidden(value: str | None, count: int) -> GpuState:
    words = f"{VARIABLE}={value!r} hides {'the GPU' if count == 1 else f'all {count} GPUs'}; unset it to use one"
    return GpuState(finding=GpuFinding.HIDDEN, detail=words)


def _broken(what: str, remedy: str) -> GpuState:
    return GpuState(finding=GpuFinding.DRIVER_BROKEN, detail=f"{what}; {remedy[0].lower()}{remedy[1:]}")
