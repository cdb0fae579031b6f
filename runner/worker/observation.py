"""What the daemon sees of a worker at one look, and who was ended by the kernel meanwhile for want of memory."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from runner.worker.stopping import StopReason
from schemas.base import Frozen
from schemas.cgroup import oom_counters
from schemas.execution import ResourceUsage, RunResult
from schemas.model import PipelineState
from schemas.outside_text import line

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
        if kills is not None and line(str(file), 0) == str(file):  # else no file of ours could name it
            return OomCount(file=file, kills=kills, whose=whose)
    return None


def since(before: OomCount) -> OomKills | None:
    """What the same counter has counted since; None where it can no longer be read."""
    after = _read(before.file)
    return None if after is None else OomKills(before=before.kills, after=after, whose=before.whose)


def _read(file: Path) -> int | None:
    try:
        for counter in file.read_text(encoding="ascii").splitlines():
            name, _, value = counter.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        return None
    return None


class Phase(StrEnum):
    """Whether a worker's process is there."""

    RUNNING = "running"
    EXITED = "exited"
    """It ended, and its parent was told how."""
    GONE = "gone"
    """It is no longer there, and how it ended nobody told us: it was another daemon's child."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One look. `result` is final once `phase` is not RUNNING: the process is looked at before its files are."""

    phase: Phase
    exit_code: int | None = None
    """Of an EXITED worker that ended by itself; see `WorkerExit`."""
    signal_number: int | None = None
    """Of an EXITED worker that a signal ended."""
    heartbeat_age_s: float = 0.0
    """Since its last sign of life, or since we know it, before the first."""
    state: PipelineState | None = None
    """The state it last told."""
    result: RunResult | None = None
    result_problem: str = ""
    """Why the result that is there cannot be read."""
    usage: ResourceUsage = field(default_factory=ResourceUsage)
    memory_mb: float = 0.0
    """Of the whole tree at the last sample."""
    over_memory_limit: bool = False
    oom_kills: OomKills | None = None
    """Of a run that has ended: who was ended for want of memory meanwhile; None where nobody counted."""
    stop_reason: StopReason | None = None
    """What the stop file says, whichever daemon wrote it."""

    @property
    def ended(self) -> bool:
        """True when there is nothing more to wait for."""
        return self.phase is not Phase.RUNNING
