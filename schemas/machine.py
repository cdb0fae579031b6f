"""What a machine has, what a run needs of it, and the verdict."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.frozen import Frozen


class ResourceRequirements(Frozen):
    """What must be free before a run is launched."""

    min_free_memory_gb: float = Field(default=4, ge=0)
    min_free_disk_gb: float = Field(default=10, ge=0)
    """Free on the file system of the state folder."""
    max_cpu_usage_percent: float = Field(default=80, gt=0, le=100)
    """Mean over all cores and the smoothing window of `GuardSettings`."""
    max_load_per_core: float | None = Field(default=None, gt=0)
    """One-minute load average divided by the usable cores; None: not looked at."""
    min_free_gpu_memory_gb: float = Field(default=0, ge=0)
    """On the best visible GPU; only for runs that need a GPU."""


class GpuFinding(StrEnum):
    """What the search for a GPU found; each has its own remedy."""

    USABLE = "usable"
    ABSENT = "absent"
    HIDDEN = "hidden"
    """CUDA_VISIBLE_DEVICES hides every device."""
    DRIVER_BROKEN = "driver_broken"
    BUSY = "busy"
    """Other processes compute on it."""


class GpuState(Frozen):
    """One look at the GPUs, through NVML."""

    finding: GpuFinding
    detail: str
    """In plain words: device names, or why none can be used."""
    free_memory_gb: float | None = None
    total_memory_gb: float | None = None
    utilisation_percent: float | None = None
    other_processes: int = 0


class GpuUse(Frozen):
    """What a set of processes holds of the GPUs at one instant."""

    memory_mb: float
    utilisation_percent: float | None
    """Mean over the devices they are on; None where the device does not tell."""


class ResourceSnapshot(Frozen):
    """The machine at one instant, container limits applied (the cgroup's, where they are tighter than the host's)."""

    taken_at: datetime
    cpu_usage_percent: float | None
    """Mean over all cores over the smoothing window; None until the first window has passed."""
    usable_cores: float
    load_per_core: float | None
    total_memory_gb: float
    free_memory_gb: float
    free_disk_gb: float
    gpu: GpuState
    battery_percent: float | None = None
    on_mains: bool | None = None
    hottest_celsius: float | None = None


class GuardDecision(Frozen):
    """Allow a launch, or wait with the reason. A decision does nothing by itself."""

    allowed: bool
    code: str
    """`ok`, or the guard that refused: memory, disk, cpu, load, gpu_memory, gpu_busy, hours, battery, thermal,
    warming_up."""
    reason: str
    """One plain sentence with the measured figure and the limit."""


class GuardSettings(Frozen):
    """How the guards look at the machine."""

    cpu_window_s: float = Field(default=10, gt=0)
    """CPU use is the mean over this window, so that a spike neither starts nor stops anything."""
    cpu_sample_interval_s: float = Field(default=1, gt=0)
    hysteresis_percent: float = Field(default=5, ge=0, le=50)
    """After a refusal the figure must be better than the limit by this share before a launch is allowed."""
    retry_interval_s: float = Field(default=15, gt=0)
    """How soon a refused run is looked at again."""
    allowed_hours: str = ""
    """Hours of the day in which runs may start, as `22-6,12-14` in `allowed_hours_timezone`; empty: always."""
    allowed_hours_timezone: str = "UTC"
    min_battery_percent: float = Field(default=0, ge=0, le=100)
    """On battery, runs wait below this charge; 0: battery is not looked at."""
    max_celsius: float = Field(default=0, ge=0)
    """Runs wait while any sensor is hotter; 0: not looked at."""
