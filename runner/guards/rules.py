"""May a run start now? Pure: what it needs, what the machine has, and the verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from runner.guards.hours import parse_hours
from schemas.machine import GpuFinding, GuardDecision, GuardSettings, ResourceRequirements, ResourceSnapshot


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a guard may look at."""

    needs: ResourceRequirements
    settings: GuardSettings
    machine: ResourceSnapshot
    needs_gpu: bool
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
    emergency: bool,
    previous: GuardDecision | None,
    now: datetime,
) -> GuardDecision:
    """The first refusal in a fixed order, or `ok`. Lasting causes come before passing ones: hours, disk, memory, GPU,
    battery, thermal, load, CPU.

    Args:
        needs_gpu: the run takes a GPU. A machine without one refuses nothing: waiting would not bring one, and the
            run itself says what is missing.
        emergency: the allowed hours do not hold it back; all other guards do.
        previous: the last decision on this run.

    Raises:
        SettingsError: `allowed_hours` or its zone cannot be read.
    """
    refused_by = previous.code if previous and not previous.allowed else ""
    case = _Case(needs, settings, machine, needs_gpu, emergency, refused_by, now)
    for code, guard in _GUARDS:
        complaint = guard(case)
        if complaint:
            return GuardDecision(allowed=False, code=code, reason=complaint)
    return GuardDecision(allowed=True, code="ok", reason="All guards allow it.")


def _hours(case: _Case) -> str:
    hours = parse_hours(case.settings.allowed_hours, case.settings.allowed_hours_timezone)
    if case.emergency or hours.contains(case.now):
        return ""
    local = case.now.astimezone(hours.zone)
    return f"It is {local:%H:%M} in {hours.zone.key}; runs may start in the hours {hours.text} only."


def _disk(case: _Case) -> str:
    return _too_little(
        case,
        "disk",
        case.machine.free_disk_gb,
        case.needs.min_free_disk_gb,
        "GiB of disk are free for the state folder",
    )


def _memory(case: _Case) -> str:
    return _too_little(
        case, "memory", case.machine.free_memory_gb, case.needs.min_free_memory_gb, "GiB of memory are free"
    )


def _gpu_busy(case: _Case) -> str:
    if not case.needs_gpu or case.machine.gpu.finding is not GpuFinding.BUSY:
        return ""
    return f"The GPU is in use: {case.machine.gpu.detail}."


def _gpu_memory(case: _Case) -> str:
    free_gb = case.machine.gpu.free_memory_gb
    if not case.needs_gpu or free_gb is None:
        return ""
    return _too_little(
        case, "gpu_memory", free_gb, case.needs.min_free_gpu_memory_gb, "GiB of GPU memory are free on the best GPU"
    )


def _battery(case: _Case) -> str:
    percent = case.machine.battery_percent
    if percent is None or case.machine.on_mains is not False:
        return ""
    return _too_little(
        case, "battery", percent, case.settings.min_battery_percent, "% of the battery are left", top=100
    )


def _thermal(case: _Case) -> str:
    if case.settings.max_celsius == 0 or case.machine.hottest_celsius is None:
        return ""
    return _too_much(
        case,
        "thermal",
        case.machine.hottest_celsius,
        case.settings.max_celsius,
        "degrees Celsius at the hottest sensor",
    )


def _load(case: _Case) -> str:
    if case.needs.max_load_per_core is None or case.machine.load_per_core is None:
        return ""
    return _too_much(
        case,
        "load",
        case.machine.load_per_core,
        case.needs.max_load_per_core,
        "is the load of the last minute per core",
    )


def _warming_up(case: _Case) -> str:
    if case.machine.cpu_usage_percent is not None:
        return ""
    return f"CPU use is still being measured; its first window takes {case.settings.cpu_window_s:g} s."


def _cpu(case: _Case) -> str:
    percent = case.machine.cpu_usage_percent
    if percent is None:
        return ""
    what = f"% of the CPU were in use over the last {case.settings.cpu_window_s:g} s"
    return _too_much(case, "cpu", percent, case.needs.max_cpu_usage_percent, what)


_GUARDS: tuple[tuple[str, Callable[[_Case], str]], ...] = (
    ("hours", _hours),
    ("disk", _disk),
    ("memory", _memory),
    ("gpu_busy", _gpu_busy),
    ("gpu_memory", _gpu_memory),
    ("battery", _battery),
    ("thermal", _thermal),
    ("load", _load),
    ("warming_up", _warming_up),
    ("cpu", _cpu),
)


def _too_little(case: _Case, code: str, figure: float, limit: float, what: str, *, top: float = float("inf")) -> str:
    bar = min(limit * (1.0 + case.margin(code)), top)
    return "" if figure >= bar else f"{figure:.1f} {what}; at least {_bar(bar, limit)} needed."


def _too_much(case: _Case, code: str, figure: float, limit: float, what: str) -> str:
    bar = limit * (1.0 - case.margin(code))
    return "" if figure <= bar else f"{figure:.1f} {what}; at most {_bar(bar, limit)} allowed."


def _bar(bar: float, limit: float) -> str:
    return f"{limit:g} are" if bar == limit else f"{bar:g} (the limit {limit:g} and a margin after a refusal) are"
