"""The machine as a run would find it: container limits applied, CPU smoothed, each look with a deadline."""

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from runner.guards.cpu import CpuMeter
from runner.guards.disk import Disks
from runner.guards.gpu import GpuProbe
from runner.guards.gpu_process import GpuProcess
from runner.guards.timed_reading import PATIENCE_S, TimedReading
from runner.guards.torch_import import NOT_ASKED, TorchImport
from runner.guards.worker_choice import WorkerChoice, choose_worker, wants_torch
from schemas.automation import AUTO_WORKER
from schemas.cgroup import CgroupLimits, read_limits
from schemas.machine import GpuFinding, GpuState, GuardSettings, ResourceSnapshot, Unmeasured
from schemas.outside_text import error_line
from schemas.training import Device

_GIB = 1024.0**3
_NO_SENSOR_CELSIUS = 120.0
"""An input of a monitoring chip that nothing is connected to reads 127 degrees or thereabouts; no machine that still
runs is so hot."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """Memory and cores, with the control group's limits."""

    total_bytes: int
    free_bytes: int
    cores: float


class Probe:
    """Looks when asked; only CPU use is read in the background, one small file every `cpu_sample_interval_s`.

    No look raises or holds its caller up: one that fails or hangs leaves its figure out. Sensors that no setting asks
    for are not looked at.

    Args:
        settings: window, intervals, and which sensors are asked for.
        folders: all that is written to; their file systems' free space counts.
        gpu: how GPUs are looked at; None: through a process of our own.
        limits: gives the control group's limits.
        torch: how torch is tried.
        patience_s: how long one look may hold the caller up.
    """

    def __init__(
        self,
        settings: GuardSettings,
        folders: Sequence[Path],
        gpu: GpuProbe | None = None,
        limits: Callable[[], CgroupLimits] = read_limits,
        torch: TorchImport | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._settings = settings
        self._own_gpu: GpuProcess | None = None
        if gpu is None:
            gpu = self._own_gpu = GpuProcess()
        self.gpu = gpu
        """Also what the sampling of workers asks (`use_of`)."""
        self._torch = torch or TorchImport()
        self._limits = limits
        self._cpu = CpuMeter(settings.cpu_window_s, settings.cpu_sample_interval_s, limits=limits)
        disks = Disks(folders)
        self._memory = TimedReading("memory", self._read_memory, patience_s=patience_s)
        self._disk = TimedReading("disk", disks.fullest, lambda: f"the file system of {disks.at}", patience_s)
        self._load = TimedReading("load", _load_per_core, patience_s=patience_s)
        self._battery = TimedReading("battery", _battery, patience_s=patience_s)
        self._heat = TimedReading("temperature", _hottest, patience_s=patience_s)

    def use(self, settings: GuardSettings) -> None:
        """Take new settings."""
        self._settings = settings
        self._cpu.use(settings.cpu_window_s, settings.cpu_sample_interval_s)

    def start(self) -> None:
        """Begin to measure CPU use: the first figure is there one window later."""
        self._cpu.start()

    def close(self) -> None:
        """Stop measuring."""
        self._cpu.close()
        if self._own_gpu is not None:
            self._own_gpu.close()

    def snapshot(self, now: datetime, own_pids: Collection[int] = ()) -> ResourceSnapshot:
        """The machine now.

        Args:
            own_pids: processes of our own runs, which do not make a GPU busy.
        """
        monotonic_s = time.monotonic()
        memory, no_memory = self._memory.take()
        disk, no_disk = self._disk.take()
        load, no_load = self._load.take()
        (battery, on_mains), no_battery = self._battery_now()
        hottest, no_heat = self._heat.take() if self._settings.max_celsius > 0 else (None, None)
        missing = (no_memory, no_disk, no_load, no_battery, no_heat, self._cpu.unmeasured(monotonic_s))
        return ResourceSnapshot(
            taken_at=now,
            cpu_usage_percent=self._cpu.percent(monotonic_s),
            usable_cores=memory.cores if memory else float(len(os.sched_getaffinity(0))),
            load_per_core=load,
            total_memory_gb=memory.total_bytes / _GIB if memory else None,
            free_memory_gb=memory.free_bytes / _GIB if memory else None,
            free_disk_gb=disk.free_bytes / _GIB if disk else None,
            fullest_folder=str(disk.folder) if disk else "",
            gpu=self._gpu_now(own_pids),
            battery_percent=battery,
            on_mains=on_mains,
            hottest_celsius=hottest,
            unmeasured=tuple(item for item in missing if item is not None),
        )

    def choose(
        self,
        machine: ResourceSnapshot,
        installed: Collection[str],
        wanted: str = AUTO_WORKER,
        device: Device = Device.AUTO,
        wait_s: float = 0.0,
    ) -> WorkerChoice:
        """The worker of a run on `machine`; torch is tried where the choice hangs on it.

        Args:
            installed: names of the installed workers.
            wanted, device: as `choose_worker` takes them.
            wait_s: how long to wait for the outcome of a first try.
        """
        asked = wants_torch(wanted, machine.gpu, device)
        torch = self._torch.look(wait_s) if asked else NOT_ASKED
        return choose_worker(wanted, machine.gpu, installed, torch=torch, device=device)

    def _read_memory(self) -> _Memory:
        limits, host = self._limits(), psutil.virtual_memory()
        allowed = float(len(os.sched_getaffinity(0)))
        return _Memory(
            total_bytes=_tighter(host.total, limits.memory_bytes),
            free_bytes=_tighter(host.available, limits.free_memory_bytes),
            cores=allowed if limits.cpu_cores is None else min(allowed, limits.cpu_cores),
        )

    def _gpu_now(self, own_pids: Collection[int]) -> GpuState:
        try:
            return self.gpu.look(own_pids)
        except Exception as error:  # noqa: BLE001 - whoever looks, no GPU is worth the scheduler
            detail = f"a look at the GPUs fails ({error_line(error)})"
            return GpuState(finding=GpuFinding.DRIVER_BROKEN, detail=detail)

    def _battery_now(self) -> tuple[tuple[float | None, bool | None], Unmeasured | None]:
        if self._settings.min_battery_percent == 0:
            return (None, None), None
        seen, missing = self._battery.take()
        return seen or (None, None), missing


def _tighter(host: int, group: int | None) -> int:
    return host if group is None else min(host, group)


def _load_per_core() -> float:
    """Both of the whole host, whatever share of it is ours: the load counts everybody's processes."""
    return os.getloadavg()[0] / os.sysconf("SC_NPROCESSORS_ONLN")


def _battery() -> tuple[float | None, bool | None]:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return (None, None) if battery is None else (max(0.0, min(100.0, battery.percent)), battery.power_plugged)


def _hottest() -> float | None:
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    figures = [sensor.current for group in psutil.sensors_temperatures().values() for sensor in group]
    return max((figure for figure in figures if figure < _NO_SENSOR_CELSIUS), default=None)
