"""The machine against the limits that hold runs back, as figures to be drawn: for the pages and for `ouroboros top`."""

from dataclasses import dataclass

from schemas.machine import GpuFinding, ResourceRequirements, ResourceSnapshot


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


def gauges_of(seen: ResourceSnapshot, needs: ResourceRequirements) -> list[Gauge]:
    """CPU, memory and disk in any case, the load where these needs limit it, the GPU where the machine has one."""
    return [_cpu(seen, needs), _memory(seen, needs), _disk(seen, needs), *_load(seen, needs), *_gpu(seen, needs)]


def _why(seen: ResourceSnapshot, figure: str, otherwise: str = "") -> str:
    missing = seen.why_unmeasured(figure)
    return missing.reason if missing else otherwise


def _cpu(seen: ResourceSnapshot, needs: ResourceRequirements) -> Gauge:
    limit = needs.max_cpu_usage_percent if needs.max_cpu_usage_percent < 100 else None
    problem = _why(seen, "cpu", "" if seen.cpu_usage_percent is not None else "its first window takes a few seconds")
    return Gauge("CPU in use", seen.cpu_usage_percent, limit, 100, "%", least=False, problem=problem)


def _memory(seen: ResourceSnapshot, needs: ResourceRequirements) -> Gauge:
    top, least_gb = seen.total_memory_gb or max(1.0, 2 * needs.min_free_memory_gb), needs.min_free_memory_gb or None
    return Gauge("Memory free", seen.free_memory_gb, least_gb, top, "GiB", least=True, problem=_why(seen, "memory"))


def _disk(seen: ResourceSnapshot, needs: ResourceRequirements) -> Gauge:
    top, least_gb = max(seen.free_disk_gb or 0, 4 * needs.min_free_disk_gb, 1.0), needs.min_free_disk_gb or None
    return Gauge("Disk free", seen.free_disk_gb, least_gb, top, "GiB", least=True, problem=_why(seen, "disk"))


def _load(seen: ResourceSnapshot, needs: ResourceRequirements) -> list[Gauge]:
    limit = needs.max_load_per_core
    if limit is None:
        return []
    return [Gauge("Load per core", seen.load_per_core, limit, 2 * limit, "", least=False, problem=_why(seen, "load"))]


def _gpu(seen: ResourceSnapshot, needs: ResourceRequirements) -> list[Gauge]:
    """Its memory, and its use where the driver tells; why there is none, where one should be."""
    gpu, limit = seen.gpu, needs.min_free_gpu_memory_gb or None
    if gpu.finding is GpuFinding.ABSENT:
        return []
    name = "GPU's share of memory free" if gpu.shares_memory else "GPU memory free"
    free_gb = seen.free_memory_gb if gpu.shares_memory else gpu.free_memory_gb
    whole_gb = seen.total_memory_gb if gpu.shares_memory else gpu.total_memory_gb
    known = gpu.finding in {GpuFinding.USABLE, GpuFinding.BUSY}
    if not known or free_gb is None:
        return [Gauge(name, None, limit, 1.0, "GiB", least=True, problem=gpu.detail)]
    held = f"busy: {gpu.detail}" if gpu.finding is GpuFinding.BUSY else gpu.detail
    memory = Gauge(name, free_gb, limit, whole_gb or max(free_gb, 1.0), "GiB", least=True, problem=held)
    if gpu.utilisation_percent is None:
        return [memory]
    return [memory, Gauge("GPU in use", gpu.utilisation_percent, None, 100, "%", least=False)]
