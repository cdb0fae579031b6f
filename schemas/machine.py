"""What a machine has, what a run needs of it, and the verdict."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.base import Frozen


class ResourceRequirements(Frozen):
    """What must be free before a run is launched."""

    min_free_memory_gb: float = Field(default=4, ge=0)
    """Memory that must be free (of the control group's limit, where that is lower)."""
    min_free_disk_gb: float = Field(default=10, ge=0)
    """Free on each file system that is written to: that of the state folder, and those that links in it lead to."""
    max_cpu_usage_percent: float = Field(default=80, gt=0, le=100)
    """Mean over all cores and the smoothing window of `GuardSettings`."""
    max_load_per_core: float | None = Field(default=None, gt=0)
    """One-minute load average of the host, divided by the host's CPUs; None: not looked at."""
    min_free_gpu_memory_gb: float = Field(default=0, ge=0)
    """On the best visible GPU; only for runs that need a GPU. The machine's, where the GPU has none of its own."""


class GpuFinding(StrEnum):
    """What the search for a GPU found; each has its own remedy."""

    USABLE = "usable"
    ABSENT = "absent"
    HIDDEN = "hidden"
    """CUDA_VISIBLE_DEVICES hides every device."""
    DRIVER_BROKEN = "driver_broken"
    SILENT = "silent"
    """The driver was asked and has not answered."""
    BUSY = "busy"
    """Other processes compute on it, or hold its memory."""


class GpuState(Frozen):
    """One look at the GPUs, through NVML."""

    finding: GpuFinding
    detail: str
    """In plain words: device names, or why none can be used."""
    free_memory_gb: float | None = None
    total_memory_gb: float | None = None
    shares_memory: bool = False
    """It has no memory of its own: what is free of the machine's is free for it."""
    silent_s: float | None = None
    """How long ago the driver was asked, while it has not answered."""
    utilisation_percent: float | None = None
    other_processes: int = 0


class TorchFinding(StrEnum):
    """Whether torch can be imported; tried in a process of its own."""

    IMPORTABLE = "importable"
    ABSENT = "absent"
    """Not installed."""
    BROKEN = "broken"
    """Installed, and its import raises, crashes or hangs."""
    UNTRIED = "untried"
    """Being tried, or nothing asked for it so far."""


class TorchState(Frozen):
    """What became of an import of torch."""

    finding: TorchFinding
    detail: str
    """A clause in plain words, with the remedy; what is tried, while it is."""


class GpuUse(Frozen):
    """What a set of processes holds of the GPUs at one instant."""

    memory_mb: float
    utilisation_percent: float | None
    """Mean over the devices they are on; None where the device does not tell."""


class Unmeasured(Frozen):
    """A figure that could not be had."""

    figure: str
    """memory, disk, cpu, load, battery or temperature."""
    reason: str
    for_s: float
    """Since when there has been none, in seconds."""


class ResourceSnapshot(Frozen):
    """The machine at one instant, container limits applied (the cgroup's, where they are tighter than the host's).

    A figure is None where nobody asks for it, where the machine has none, or where it cannot be measured: then
    `unmeasured` says why.
    """

    taken_at: datetime
    cpu_usage_percent: float | None
    """Mean over all cores over the smoothing window; None until the first window has passed."""
    usable_cores: float
    load_per_core: float | None
    total_memory_gb: float | None
    free_memory_gb: float | None
    free_disk_gb: float | None
    """On the fullest of the file systems that are written to."""
    fullest_folder: str = ""
    """A folder on that file system."""
    gpu: GpuState
    battery_percent: float | None = None
    on_mains: bool | None = None
    hottest_celsius: float | None = None
    unmeasured: tuple[Unmeasured, ...] = ()

    def why_unmeasured(self, figure: str) -> Unmeasured | None:
        """Why there is no such figure; None where there is one, or need not be one."""
        return next((item for item in self.unmeasured if item.figure == figure), None)


class GuardDecision(Frozen):
    """Allow a launch, or wait with the reason. A decision does nothing by itself."""

    allowed: bool
    code: str
    """`ok`, or the guard that refused: memory, disk, cpu, load, gpu_memory, gpu_busy, hours, battery, thermal,
    warming_up, pending."""
    reason: str
    """One plain sentence with the measured figure and the limit."""


class GuardSettings(Frozen):
    """How the guards look at the machine."""

    cpu_window_s: float = Field(default=10, gt=0)
    """CPU use is the mean over this window, so that a spike neither starts nor stops anything."""
    cpu_sample_interval_s: float = Field(default=1, gt=0)
    """How often the processors are looked at for that window."""
    hysteresis_percent: float = Field(default=5, ge=0, le=50)
    """After a refusal the figure must be better than the limit by this share before a launch is allowed."""
    retry_interval_s: float = Field(default=15, gt=0)
    """How soon a refused run is looked at again."""
    measure_timeout_s: float = Field(default=120, ge=0)
    """A guard whose figure cannot be measured (a driver or file system that hangs, a sensor that fails) makes runs
    wait for it this long, and then lets them start without it."""
    allowed_hours: str = ""
    """Hours of the day in which runs may start, as `22-6,12-14` in `allowed_hours_timezone`; empty: always."""
    allowed_hours_timezone: str = "UTC"
    """The zone of `allowed_hours`, by its IANA name."""
    min_battery_percent: float = Field(default=0, ge=0, le=100)
    """On battery, runs wait below this charge; 0: battery is not looked at."""
    max_celsius: float = Field(default=0, ge=0)
    """Runs wait while any sensor is hotter; 0: not looked at."""
