"""The machine against the limits that hold runs back, as the guards see it."""

import threading
from collections.abc import Collection
from datetime import datetime

from runner.guards.gauges import Gauge, gauges_of
from runner.guards.gpu_process import GpuProcess
from runner.guards.probe import Probe
from runner.guards.timed_reading import TimedReading
from schemas.machine import GpuFinding, GpuState, GpuUse, ResourceRequirements
from schemas.settings import Settings

_PATIENCE_S = 0.2
"""How long a page waits for the NVIDIA driver; one that takes longer is shown at a later look."""


class _UnhurriedGpu:
    """A `GpuProbe` that no page waits for: the driver has a process of its own, which is there where a driver is."""

    def __init__(self) -> None:
        self._process = GpuProcess()
        self._look = TimedReading("GPU", self._process.look, patience_s=_PATIENCE_S)

    def look(self, own_pids: Collection[int] = ()) -> GpuState:
        """The state now; SILENT while the driver is being asked. Our own runs count as others do."""
        state, missing = self._look.take()
        return state or GpuState(finding=GpuFinding.SILENT, detail=missing.reason if missing else "is being asked")

    def use_of(self, pids: Collection[int]) -> GpuUse | None:
        """Nobody asks for it here."""
        return None

    def close(self) -> None:
        """End the driver's process."""
        self._process.close()


class Machine:
    """Looks when a page asks; CPU use is read in the background from the first time on."""

    def __init__(self, settings: Settings) -> None:
        self._gpu = _UnhurriedGpu()
        self._probe = Probe(settings.guards, settings.written_dirs, gpu=self._gpu)
        self._lock = threading.Lock()
        self._started = False

    def gauges(self, needs: ResourceRequirements, now: datetime) -> list[Gauge]:
        """Each figure that these needs limit, CPU, memory and disk in any case, a GPU where there is one."""
        with self._lock:
            if not self._started:
                self._probe.start()
                self._started = True
        return gauges_of(self._probe.snapshot(now), needs)

    def close(self) -> None:
        """Stop reading."""
        with self._lock:
            if self._started:
                self._probe.close()
                self._gpu.close()
