"""Who was ended by the kernel for want of memory while a run was under way, by the counter of its control group."""

from pathlib import Path

from runner.guards.cgroup import oom_counters
from schemas.base import Frozen

_VMSTAT = Path("/proc/vmstat")


class OomCount(Frozen):
    """A counter that only grows, and its value at one moment."""

    file: Path
    kills: int
    whose: str
    """What the counter is about, in words."""


class OomKills(Frozen):
    """What a counter counted between two moments."""

    before: int
    after: int
    whose: str

    @property
    def count(self) -> int:
        """Processes that were ended; 0 for a counter that began anew."""
        return max(0, self.after - self.before)


def count_now(proc_self: Path = Path("/proc/self"), vmstat: Path = _VMSTAT) -> OomCount | None:
    """The counter of this process's control group, which its workers share; that of the machine, where the group has
    none. None: nobody counts."""
    candidates = [(file, "its control group") for file in oom_counters(proc_self)]
    for file, whose in [*candidates, (vmstat, "this machine")]:
        kills = _read(file)
        if kills is not None:
            return OomCount(file=file, kills=kills, whose=whose)
    return None


def since(before: OomCount) -> OomKills | None:
    """What the same counter has counted since; None where it can no longer be read."""
    after = _read(before.file)
    return None if after is None else OomKills(before=before.kills, after=after, whose=before.whose)


def _read(file: Path) -> int | None:
    try:
        for line in file.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        return None
    return None
