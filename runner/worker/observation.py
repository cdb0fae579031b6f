"""What the daemon sees of a worker at one look."""

from dataclasses import dataclass, field
from enum import StrEnum

from runner.worker.oom import OomKills
from runner.worker.stopping import StopReason
from schemas.execution import ResourceUsage, RunResult
from schemas.model import PipelineState


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
