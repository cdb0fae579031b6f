"""One look at the NVIDIA GPUs, through NVML: is there one, may we see it, does its driver work, is it free?"""

import ctypes
import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runner.guards.visible import VARIABLE, Device, Visible, visible_devices
from schemas.machine import GpuFinding, GpuState, GpuUse

_log = logging.getLogger(__name__)
_GIB = 1024.0**3
_MIB = 1024.0**2
_BUSY_PERCENT = 50.0
"""A GPU this much in use with no process that we can see works for somebody in another container."""
_LIBRARY = "libnvidia-ml.so.1"
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
        ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    import pynvml

    return pynvml


@dataclass(frozen=True, slots=True)
class _Look:
    """One visible device as it stands."""

    name: str
    free_gb: float
    total_gb: float
    utilisation_percent: float | None
    others: int

    @property
    def busy(self) -> bool:
        return self.others > 0 or (self.utilisation_percent or 0.0) >= _BUSY_PERCENT


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
            devices, handles = self._devices(nvml)
            value = self._environment.get(VARIABLE)
            visible = visible_devices(devices, value)
            if not devices:
                return GpuState(finding=GpuFinding.ABSENT, detail="the NVIDIA driver is loaded, but finds no GPU")
            if not visible:
                return _hidden(value, len(devices))
            return _state([self._inspect(nvml, handles, item, own_pids) for item in visible])
        except nvml.NVMLError as error:
            self._close()  # a lost GPU or a driver replaced under us: begin anew at the next look
            return _broken(f"the NVIDIA driver fails at a look at its GPUs ({error})", "Restart the machine")

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
            for index in range(nvml.nvmlDeviceGetCount()):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                mine = [item for item in _processes(nvml, handle) if item.pid in pids]
                if mine:
                    found = True
                    memory += sum(item.usedGpuMemory or 0 for item in mine) / _MIB
                    utilisations.append(_utilisation(nvml, handle))
        except nvml.NVMLError as error:
            _log.warning("Cannot sample the GPU use of a run: %s", error)
            self._close()
            return None
        known = [value for value in utilisations if value is not None]
        mean = sum(known) / len(known) if known else None
        return GpuUse(memory_mb=memory, utilisation_percent=mean) if found else None

    def _open(self) -> GpuState | None:
        """Initialise NVML; None when that stands, else what is wrong."""
        if self._nvml is not None:
            return None
        nvml, traces = self._load(), self._traces()
        if nvml is None:
            if traces:
                signs = ", ".join(traces)
                return _broken(f"{signs} is there, but {_LIBRARY} is not", "Install the driver's user-space part")
            return GpuState(finding=GpuFinding.ABSENT, detail="this machine has no NVIDIA GPU")
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

    def _devices(self, nvml: Any) -> tuple[list[Device], dict[str, Any]]:
        devices, handles = [], {}
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid = nvml.nvmlDeviceGetUUID(handle)
            slices = {nvml.nvmlDeviceGetUUID(item): item for item in _slices(nvml, handle)}
            handles.update({uuid: handle, **slices})
            devices.append(Device(index=index, uuid=uuid, mig_uuids=tuple(slices)))
        return devices, handles

    def _inspect(self, nvml: Any, handles: dict[str, Any], item: Visible, own_pids: Collection[int]) -> _Look:
        handle = handles[item.mig_uuid or item.device.uuid]
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        others = [process for process in _processes(nvml, handle) if process.pid not in own_pids]
        return _Look(
            name=nvml.nvmlDeviceGetName(handle),
            free_gb=memory.free / _GIB,
            total_gb=memory.total / _GIB,
            utilisation_percent=_utilisation(nvml, handle),
            others=len(others),
        )


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


def _processes(nvml: Any, handle: Any) -> list[Any]:
    try:
        return list(nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    except nvml.NVMLError_NotSupported:
        return []


def _utilisation(nvml: Any, handle: Any) -> float | None:
    try:
        return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except nvml.NVMLError_NotSupported:  # a MIG slice, or an old device
        return None


def _state(looks: list[_Look]) -> GpuState:
    best = max(looks, key=lambda look: (not look.busy, look.free_gb))
    words = f"{best.name}, {best.free_gb:.1f} of {best.total_gb:.1f} GiB free"
    if len(looks) > 1:
        words += f", the best of {len(looks)}"
    if best.busy and best.others:
        words += f", {best.others} other process{'es' if best.others > 1 else ''} on it"
    elif best.busy:
        words += f", {best.utilisation_percent:.0f} % in use by processes that we cannot see"
    return GpuState(
        finding=GpuFinding.BUSY if best.busy else GpuFinding.USABLE,
        detail=words,
        free_memory_gb=best.free_gb,
        total_memory_gb=best.total_gb,
        utilisation_percent=best.utilisation_percent,
        other_processes=best.others,
    )


def _hidden(value: str | None, count: int) -> GpuState:
    words = f"{VARIABLE}={value!r} hides {'the GPU' if count == 1 else f'all {count} GPUs'}; unset it to use one"
    return GpuState(finding=GpuFinding.HIDDEN, detail=words)


def _broken(what: str, remedy: str) -> GpuState:
    return GpuState(finding=GpuFinding.DRIVER_BROKEN, detail=f"{what}; {remedy[0].lower()}{remedy[1:]}")
