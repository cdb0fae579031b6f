"""The machine as a run would find it: container limits applied, CPU smoothed."""

import os
import shutil
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

import psutil

from runner.guards.cgroup import CgroupLimits, read_limits
from runner.guards.cpu import CpuMeter
from runner.guards.gpu import GpuProbe, NvmlProbe
from schemas.errors import MachineError
from schemas.machine import GuardSettings, ResourceSnapshot

_GIB = 1024.0**3


class Probe:
    """Looks when asked; only CPU use is read in the background, one small file every `cpu_sample_interval_s`.

    Args:
        settings: window and intervals.
        state_dir: whose file system's free space counts.
        gpu: how GPUs are looked at.
        limits: gives the control group's limits.
    """

    def __init__(
        self,
        settings: GuardSettings,
        state_dir: Path,
        gpu: GpuProbe | None = None,
        limits: Callable[[], CgroupLimits] = read_limits,
    ) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self.gpu = gpu or NvmlProbe()
        """Also what the sampling of workers asks (`use_of`)."""
        self._limits = limits
        self._cpu = CpuMeter(settings.cpu_window_s, settings.cpu_sample_interval_s, limits=limits)

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

    def snapshot(self, now: datetime, own_pids: Collection[int] = ()) -> ResourceSnapshot:
        """The machine now.

        Args:
            own_pids: processes of our own runs, which do not make a GPU busy.

        Raises:
            MachineError: the state folder's file system cannot be looked at.
        """
        limits = self._limits()
        memory = psutil.virtual_memory()
        cores = _usable_cores(limits)
        percent, on_mains = _battery()
        return ResourceSnapshot(
            taken_at=now,
            cpu_usage_percent=self._cpu.percent(),
            usable_cores=cores,
            load_per_core=os.getloadavg()[0] / cores,
            total_memory_gb=min(memory.total, limits.memory_bytes or memory.total) / _GIB,
            free_memory_gb=_tighter(memory.available, limits.free_memory_bytes) / _GIB,
            free_disk_gb=_free_disk_bytes(self._state_dir) / _GIB,
            gpu=self.gpu.look(own_pids),
            battery_percent=percent,
            on_mains=on_mains,
            hottest_celsius=_hottest() if self._settings.max_celsius > 0 else None,
        )


def _usable_cores(limits: CgroupLimits) -> float:
    allowed = float(len(os.sched_getaffinity(0)))
    return allowed if limits.cpu_cores is None else min(allowed, limits.cpu_cores)


def _tighter(host: int, group: int | None) -> int:
    return host if group is None else min(host, group)


def _free_disk_bytes(folder: Path) -> int:
    place = folder.absolute()
    while not place.exists():  # before the first start the state folder is still to be made
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError as error:
        raise MachineError(
            f"cannot see how much disk is free: {error.strerror}", where=str(place), remedy="Check the file system."
        ) from error


def _battery() -> tuple[float | None, bool | None]:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return (None, None) if battery is None else (max(0.0, min(100.0, battery.percent)), battery.power_plugged)


def _hottest() -> float | None:
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    figures = [sensor.current for group in psutil.sensors_temperatures().values() for sensor in group]
    return max(figures, default=None)
