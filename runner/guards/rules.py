"""May a run start now? Pure: what it needs, what the machine has, and the verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from runner.guards.allowed_hours import parse_hours
from schemas.machine import GpuFinding, GuardDecision, GuardSettings, ResourceRequirements, ResourceSnapshot

_NO_LIMIT_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a guard may look at."""

    needs: ResourceRequirements
    settings: GuardSettings
    machine: ResourceSnapshot
    needs_gpu: bool
    pending: str
    emergency: bool
    refused_by: str
    """The guard that refused at the last look, "" for none."""
    now: datetime

    def margin(self, code: str) -> float:
        """The share by which a figure must beat its limit: above 0 only for the guard that refused last, so that a
        figure that trembles around its limit neither starts nor refuses a run at every look."""
        return self.settings.hysteresis_percent / 100.0 if code == self.refused_by else 0.0


def decide(
    needs: ResourceRequirements,
    settings: GuardSettings,
    machine: ResourceSnapshot,
    *,
    needs_gpu: bool,
    pending: str = "",
    emergency: bool,
    previous: GuardDecision | None,
    now: datetime,
) -> GuardDecision:
    """The first refusal in a fixed order, or `ok`. Lasting causes come before passing ones: hours, disk, memory, GPU,
    battery, thermal, load, CPU.

    A figure that is asked for and cannot be measured holds a run back for `measure_timeout_s`, and then no longer;
    one that nobody asks for, never.

    Args:
        needs_gpu: the run takes a GPU. A machine without one refuses nothing: waiting would not bring one, and the
            run itself says what is missing.
        pending: what the choice of the worker hangs on and nobody has answered yet.
        emergency: the allowed hours do not hold it back; all other guards do.
        previous: the last decision on this run.

    Raises:
        SettingsError: `allowed_hours` or its zone cannot be read.
    """
    refused_by = previous.code if previous and not previous.allowed else ""
    case = _Case(needs, settings, machine, needs_gpu, pending, emergency, refused_by, now)
    for code, guard in _GUARDS:
        complaint = guard(case)
        if complaint:
            return GuardDecision(allowed=False, code=code, reason=complaint)
    blind = [f"{item.figure} ({item.reason})" for item in machine.unmeasured]
    words = f"All guards allow it; not measured: {', '.join(blind)}." if blind else "All guards allow it."
    return GuardDecision(allowed=True, code="ok", reason=words)


def _hours(case: _Case) -> str:
    hours = parse_hours(case.settings.allowed_hours, case.settings.allowed_hours_timezone)
    if case.emergency or hours.contains(case.now):
        return ""
    local = case.now.astimezone(hours.zone)
    return f"It is {local:%H:%M} in {hours.zone.key}; runs may start in the hours {hours.text} only."


def _disk(case: _Case) -> str:
    limit_gb, free_gb = case.needs.min_free_disk_gb, case.machine.free_disk_gb
    if free_gb is None:
        return _not_measured(case, "disk", "The free disk") if limit_gb > 0 else ""
    place = case.machine.fullest_folder or "the state folder"
    return _too_little(case, "disk", free_gb, limit_gb, f"GiB of disk are free at {place}")


def _memory(case: _Case) -> str:
    limit_gb, free_gb = case.needs.min_free_memory_gb, case.machine.free_memory_gb
    if free_gb is None:
        return _not_measured(case, "memory", "The free memory") if limit_gb > 0 else ""
    return _too_little(case, "memory", free_gb, limit_gb, "GiB of memory are free", whole=case.machine.total_memory_gb)


def _pending(case: _Case) -> str:
    silent_s, timeout_s = case.machine.gpu.silent_s, case.settings.measure_timeout_s
    if not case.pending or (silent_s is not None and silent_s >= timeout_s):
        return ""
    return f"{case.pending[0].upper()}{case.pending[1:]}. The run waits for it at most {timeout_s:g} s."


def _gpu_busy(case: _Case) -> str:
    if not case.needs_gpu or case.machine.gpu.finding is not GpuFinding.BUSY:
        return ""
    return f"The GPU is in use: {case.machine.gpu.detail}."


def _gpu_memory(case: _Case) -> str:
    gpu = case.machine.gpu
    free_gb = case.machine.free_memory_gb if gpu.shares_memory else gpu.free_memory_gb
    whole_gb = case.machine.total_memory_gb if gpu.shares_memory else gpu.total_memory_gb
    if not case.needs_gpu or free_gb is None:
        return ""
    what = "GiB of GPU memory are free on the best GPU"
    if gpu.shares_memory:
        what = "GiB of the memory that the GPU shares with the machine are free"
    return _too_little(case, "gpu_memory", free_gb, case.needs.min_free_gpu_memory_gb, what, whole=whole_gb)


def _battery(case: _Case) -> str:
    percent, limit = case.machine.battery_percent, case.settings.min_battery_percent
    if limit == 0:
        return ""
    if percent is None:
        return _not_measured(case, "battery", "The battery")
    if case.machine.on_mains is not False:
        return ""
    return _too_little(case, "battery", percent, limit, "% of the battery are left", whole=100)


def _thermal(case: _Case) -> str:
    celsius, limit = case.machine.hottest_celsius, case.settings.max_celsius
    if limit == 0:
        return ""
    if celsius is None:
        return _not_measured(case, "temperature", "The temperature")
    return _too_much(case, "thermal", celsius, limit, "degrees Celsius at the hottest sensor")


def _load(case: _Case) -> str:
    load, limit = case.machine.load_per_core, case.needs.max_load_per_core
    if limit is None:
        return ""
    if load is None:
        return _not_measured(case, "load", "The load")
    return _too_much(case, "load", load, limit, "is the load of the last minute per core")


def _warming_up(case: _Case) -> str:
    asked = case.needs.max_cpu_usage_percent < _NO_LIMIT_PERCENT
    if not asked or case.machine.cpu_usage_percent is not None or case.machine.why_unmeasured("cpu"):
        return ""
    return f"CPU use is still being measured; its first window takes {case.settings.cpu_window_s:g} s."


def _cpu(case: _Case) -> str:
    percent, limit = case.machine.cpu_usage_percent, case.needs.max_cpu_usage_percent
    if limit >= _NO_LIMIT_PERCENT:
        return ""
    if percent is None:
        return _not_measured(case, "cpu", "CPU use")
    what = f"% of the CPU were in use over the last {case.settings.cpu_window_s:g} s"
    return _too_much(case, "cpu", percent, limit, what)


def _not_measured(case: _Case, figure: str, what: str) -> str:
    """Why a run waits for a figure that a limit asks for; "" where the machine has none, or once that took too long."""
    missing, timeout_s = case.machine.why_unmeasured(figure), case.settings.measure_timeout_s
    if missing is None or missing.for_s >= timeout_s:
        return ""
    return f"{what} cannot be measured: {missing.reason}. The run waits for it at most {timeout_s:g} s."


_GUARDS: tuple[tuple[str, Callable[[_Case], str]], ...] = (
    ("hours", _hours),
    ("disk", _disk),
    ("memory", _memory),
    ("pending", _pending),
    ("gpu_busy", _gpu_busy),
    ("gpu_memory", _gpu_memory),
    ("battery", _battery),
    ("thermal", _thermal),
    ("load", _load),
    ("warming_up", _warming_up),
    ("cpu", _cpu),
)


def _too_little(case: _Case, code: str, figure: float, limit: float, what: str, *, whole: float | None = None) -> str:
    bar = limit * (1.0 + case.margin(code))
    if whole is not None:  # a limit close to the whole leaves no room for its margin: nothing would ever be enough
        bar = max(limit, min(bar, (limit + whole) / 2.0))
    return "" if figure >= bar else f"{figure:.1f} {what}; at least {_bar(bar, limit)} needed."


def _too_much(case: _Case, code: str, figure: float, limit: float, what: str) -> str:
    bar = limit * (1.0 - case.margin(code))
    return "" if figure <= bar else f"{figure:.1f} {what}; at most {_bar(bar, limit)} allowed."


def _bar(bar: float, limit: float) -> str:
    return f"{limit:g} are" if bar == limit else f"{bar:g} (the limit {limit:g} and a margin after a refusal) are"
