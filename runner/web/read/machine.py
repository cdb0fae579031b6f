"""The machine against the limits that hold runs back, as the guards see it. GPUs are left to the daemon's own probe."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from runner.guards.probe import Probe
from schemas.machine import GpuFinding, GpuState, GpuUse, ResourceRequirements, ResourceSnapshot
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Gauge:
    """One figure and its limit."""

    name: str
    value: float | None
    """None: it cannot be had, or not yet; `problem` says why."""
    limit: float | None
    """None: nobody asks for it."""
    top: float
    """Where the bar ends."""
    unit: str
    least: bool
    """The limit is the least that must be there; else it is the most that may be in use."""
    problem: str = ""

    @property
    def holds_back(self) -> bool:
        """It keeps a run from starting."""
        if self.value is None or self.limit is None:
            return False
        return self.value < self.limit if self.least else self.value > self.limit


class _NobodyLooks:
    """A look at the GPUs costs a process with the driver in it; the daemon has one."""

    def look(self, own_pids: Collection[int] = ()) -> GpuState:
        return GpuState(finding=GpuFinding.ABSENT, detail="not looked at here")

    def use_of(self, pids: Collection[int]) -> GpuUse | None:
        return None


class Machine:
    """Looks when a page asks; CPU use is read in the background from the first time on."""

    def __init__(self, settings: Settings) -> None:
        self._probe = Probe(settings.guards, settings.written_dirs, gpu=_NobodyLooks())
        self._lock = threading.Lock()
        self._started = False

    def gauges(self, needs: ResourceRequirements, now: datetime) -> list[Gauge]:
        """Each figure that these needs limit, CPU, memory and disk in any case."""
        with self._lock:
            if not self._started:
                self._probe.start()
                self._started = True
        seen = self._probe.snapshot(now)
        return [_cpu(seen, needs), _memory(seen, needs), _disk(seen, needs), *_load(seen, needs)]

    def close(self) -> None:
        """Stop reading."""
        with self._lock:
            if self._started:
                self._probe.close()


def _why(seen: ResourceSnapshot, figure: str, otherwise: str) -> str:
    missing = seen.why_unmeasured(figure)
    return missing.reason if missing else otherwise


def _cpu(seen: ResourceSnapshot, needs: ResourceRequirements) -> Gauge:
    limit = needs.max_cpu_usage_percent if needs.max_cpu_usage_percent < 100 else None
    problem = _why(seen, "cpu", "its first window takes a few seconds")
    return Gauge("CPU in use", seen.cpu_usage_percent, limit, 100, "%", least=False, problem=problem)


def _memory(seen: ResourceSnapshot, needs: ResourceRequirements) -> Gauge:
    top = seen.total_memory_gb or max(1.0, 2 * needs.min_free_memory_gb)
    problem = _why(seen, "memory", "")
    return Gauge(
        "Memory free", seen.free_memory_gb, needs.min_free_memory_gb or None, top, "GiB", least=True, problem=problem
    )


def _disk(seen: ResourceSnapshot, needs: ResourceRequirements) -> Gauge:
    top = max(seen.free_disk_gb or 0, 4 * needs.min_free_disk_gb, 1.0)
    problem = _why(seen, "disk", "")
    return Gauge(
        "Disk free", seen.free_disk_gb, needs.min_free_disk_gb or None, top, "GiB", least=True, problem=problem
    )


def _load(seen: ResourceSnapshot, needs: ResourceRequirements) -> list[Gauge]:
    limit = needs.max_load_per_core
    if limit is None:
        return []
    top, problem = 2 * limit, _why(seen, "load", "")
    return [Gauge("Load per core", seen.load_per_core, limit, top, "", least=False, problem=problem)]
