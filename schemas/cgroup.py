"""The limits of the control groups this process is in, versions 1 and 2: in a container the rest of `/proc` and
psutil show the whole host."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_NO_LIMIT = 1 << 60
"""Version 1 writes a number near 2**63 for "none"."""


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """The tightest of the group and its ancestors; None: no limit."""

    memory_bytes: int | None = None
    free_memory_bytes: int | None = None
    """Limit less what is used; file cache that can be dropped counts as free."""
    cpu_cores: float | None = None
    """The quota, as a number of cores."""
    cpu_used_s: float | None = None
    """CPU time used so far by the group whose quota that is; it only grows."""


@dataclass(frozen=True, slots=True)
class _Mount:
    """A mounted hierarchy."""

    version: int
    root: str
    """The group that is shown at the mount point."""
    point: Path
    controllers: frozenset[str]


def read_limits(proc_self: Path = Path("/proc/self")) -> CgroupLimits:
    """The limits now. A file that is missing or unreadable means no limit from there.

    Args:
        proc_self: holds `cgroup` and `mountinfo`.
    """
    groups = _groups(proc_self / "cgroup")
    memory: list[tuple[int, int]] = []
    quotas: list[tuple[float, float | None]] = []
    for mount in _mounts(proc_self / "mountinfo"):
        for folder in _folders(mount, groups):
            if "memory" in mount.controllers or mount.version == 2:
                memory += _memory(folder, mount.version)
            if "cpu" in mount.controllers or mount.version == 2:
                quotas += _quota(folder, mount.version)
    cores, used_s = min(quotas, key=lambda quota: quota[0], default=(None, None))
    return CgroupLimits(
        memory_bytes=min((limit for limit, _ in memory), default=None),
        free_memory_bytes=min((max(0, limit - used) for limit, used in memory), default=None),
        cpu_cores=cores,
        cpu_used_s=used_s,
    )


def usable_processors(proc_self: Path = Path("/proc/self")) -> int:
    """How many processors this process can keep busy, 1 at the least: those it may run on, or as many as its control
    group's quota pays for.

    A container of 4 on a host of 64 may run on all 64: with a thread for each it would stand still most of the time.
    """
    allowed, quota = len(os.sched_getaffinity(0)), read_limits(proc_self).cpu_cores
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def oom_counters(proc_self: Path = Path("/proc/self")) -> list[Path]:
    """Where the kernel may count what it ended of our own group for want of memory: lines `oom_kill N`."""
    groups = _groups(proc_self / "cgroup")
    files = []
    for mount in _mounts(proc_self / "mountinfo"):
        own = next(_folders(mount, groups), None)
        if own is not None and mount.version == 2:
            files.append(own / "memory.events")
        elif own is not None and "memory" in mount.controllers:
            files.append(own / "memory.oom_control")
    return files


def _groups(path: Path) -> dict[str, str]:
    """Controller -> path of our group; "" is version 2's."""
    groups = {}
    for line in (_text(path) or "").splitlines():
        _, controllers, group = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = group
    return groups


def _mounts(path: Path) -> list[_Mount]:
    found = []
    for line in (_text(path) or "").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, point = (field.replace("\\040", " ") for field in before.split(" ")[3:5])
        if kind == "cgroup2":
            found.append(_Mount(2, root, Path(point), frozenset()))
        elif kind == "cgroup":
            found.append(_Mount(1, root, Path(point), frozenset(options.split(","))))
    return found


def _folders(mount: _Mount, groups: dict[str, str]) -> Iterator[Path]:
    """Our group's folder and its ancestors' up to the mount point: each one's limit holds for us."""
    if mount.version == 2:
        group = groups.get("")
    else:
        group = next((groups[name] for name in ("memory", "cpu") if name in mount.controllers and name in groups), None)
    if group is None:
        return
    try:
        inner = PurePosixPath(group).relative_to(mount.root)
    except ValueError:  # the mount shows another branch, as in a container that shares the host's names: take its top
        inner = PurePosixPath(".")
    yield mount.point / inner
    for ancestor in inner.parents:
        yield mount.point / ancestor


def _memory(folder: Path, version: int) -> list[tuple[int, int]]:
    limits = ("memory.max", "memory.high") if version == 2 else ("memory.limit_in_bytes",)
    used = _number(folder / ("memory.current" if version == 2 else "memory.usage_in_bytes"))
    if used is None:
        return []
    cache = _stat(folder / "memory.stat", "inactive_file" if version == 2 else "total_inactive_file")
    found = [limit for name in limits if (limit := _number(folder / name)) is not None and limit < _NO_LIMIT]
    return [(limit, max(0, used - cache)) for limit in found]


def _quota(folder: Path, version: int) -> list[tuple[float, float | None]]:
    """Cores and CPU seconds used, [] without a quota."""
    if version == 2:
        words = (_text(folder / "cpu.max") or "").split()
        quota, period = (int(words[0]), int(words[1])) if len(words) == 2 and words[0].isdigit() else (-1, 1)
        used_s = _stat(folder / "cpu.stat", "usage_usec") / 1e6
    else:
        quota = _number(folder / "cpu.cfs_quota_us") or -1
        period = _number(folder / "cpu.cfs_period_us") or 1
        used_s = (_number(folder / "cpuacct.usage") or 0) / 1e9  # there when both controllers share a mount
    return [(quota / period, used_s or None)] if quota > 0 else []


def _stat(path: Path, name: str) -> int:
    for line in (_text(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = (_text(path) or "").strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _text(path: Path) -> str | None:
    try:
        # A mount point of any bytes may stand in it: an old USB stick's name is no UTF-8.
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
