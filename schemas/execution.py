"""A run, from its request to what became of it."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import Field

from schemas.automation import TrainingSchedule, TriggerType
from schemas.base import Frozen
from schemas.model import PipelineState, PipelineStatus
from schemas.outside_text import ErrorText, LineText, NameText, ReasonText, TraceText
from schemas.settings import Settings
from schemas.training import TrainingConfiguration

PICTURE_NAME = "picture.png"
"""A run's worker may leave a picture of what came of it under this name in the run's folder: the mail shows it."""


class Outcome(StrEnum):
    """How an execution ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    """Somebody asked it to stop; its work is saved."""
    LOST = "lost"
    """Its process vanished without a result (crash, kill, power cut)."""


class FailureClass(StrEnum):
    """What kind of failure it was; the retry policy reads it."""

    BAD_INPUT = "bad_input"
    """The same request would fail again: never retried."""
    RESOURCE = "resource"
    """Memory, disk or device ran out: retried later, with a longer delay."""
    TIMEOUT = "timeout"
    CRASH = "crash"
    ERROR = "error"


class ProcessIdentity(Frozen):
    """A process beyond doubt: a process id alone is reused, and a creation time follows clock steps."""

    boot_id: str
    """`/proc/sys/kernel/random/boot_id`."""
    pid: int = Field(gt=0)
    start_ticks: int = Field(ge=0)
    """Field 22 of `/proc/PID/stat`: clock ticks after boot."""


class RunRequest(Frozen):
    """All that a worker is told: written as `request.json` into its run folder."""

    execution_id: int
    schedule_name: str
    trigger_type: TriggerType
    scheduled_for: datetime
    attempt: int = Field(ge=1)
    worker: str
    worker_reason: str
    """Why this worker: what hardware was found, or that the schedule forces it."""
    training_config: TrainingConfiguration
    deadline: datetime
    """Past this the run is stopped by its parent."""
    seed: int = Field(ge=0, lt=2**63)
    settings: Settings


class RunFailure(Frozen):
    """Why a run failed, as its worker or its parent tells it."""

    failure_class: FailureClass
    message: ErrorText
    """What was wrong, where, and what to do next."""
    traceback: TraceText = ""


class RunResult(Frozen):
    """What a worker leaves behind as `result.json`, written once, as its last act."""

    outcome: Outcome
    state: PipelineState
    """Its last state; `best_win_rate` with the games behind it."""
    failure: RunFailure | None = None
    stagnated: bool = False
    """The run went on without an improvement for so long that a person should know."""
    added: str = ""
    """What this run itself added, in a sentence; empty: its worker does not say."""


class ResourceUsage(Frozen):
    """Sampled over the whole process tree while a run went on: measured peaks, not guesses."""

    samples: int = 0
    peak_memory_mb: float = 0
    mean_cpu_percent: float = 0
    """100 is one core."""
    peak_cpu_percent: float = 0
    cpu_time_s: float = 0
    peak_processes: int = 0
    peak_gpu_memory_mb: float | None = None
    mean_gpu_percent: float | None = None


class ExecutionResult(Frozen):
    """A finished execution as the history holds it and notifications tell it."""

    execution_id: int
    schedule_name: str
    trigger_type: TriggerType
    scheduled_for: datetime
    started_at: datetime
    completed_at: datetime
    attempt: int
    worker: str
    outcome: Outcome
    success: bool
    state: PipelineState
    usage: ResourceUsage = Field(default_factory=ResourceUsage)
    failure: RunFailure | None = None
    will_retry_at: datetime | None = None
    added: ReasonText = ""
    """What this run itself added, in a sentence; empty: its worker does not say."""
    run_dir: Path
    log_tail: list[LineText] = Field(default_factory=list)

    @property
    def nothing_left(self) -> bool:
        """It found nothing left to do, and `added` says why and what to change."""
        return self.success and self.state.status is PipelineStatus.IDLE and self.state.total_games_processed == 0

    @property
    def error_message(self) -> str | None:
        """The failure in words, None after a success."""
        return self.failure.message if self.failure else None


class JobContext(Protocol):
    """What a job may ask of the process that runs it. The worker gives one; so does the command line."""

    @property
    def run_dir(self) -> Path:
        """The folder of this run, for anything worth keeping; `PICTURE_NAME` in it goes into the mail."""
        ...

    def report(self, state: PipelineState) -> None:
        """Tell the state: written for the parent and shown as the progress line. Cheap; call it often."""
        ...

    def stop_requested(self) -> bool:
        """True once the job should save and return (CANCELLED if work is left)."""
        ...


Job = Callable[[RunRequest, JobContext], RunResult | None]
"""An entry point of group `ouroboros.jobs`: does the work of one run in this process.

Returns what came of it, or nothing, which is a success with the state last told.
Raises whatever it likes: the worker turns an exception into a `RunResult` with its failure class.
"""


class DecisionKind(StrEnum):
    """What was decided about an occurrence."""

    WAIT = "wait"
    LAUNCH = "launch"
    RETRY = "retry"
    GIVE_UP = "give_up"
    SKIP = "skip"
    COALESCE = "coalesce"
    MISS = "miss"
    CANCEL = "cancel"


class Decision(Frozen):
    """Why a run did or did not start, in words that a person reads."""

    kind: DecisionKind
    code: NameText
    """A short stable word: which guard, which policy."""
    reason: ReasonText


class QueuedRun(Frozen):
    """An occurrence on its way: what the queue holds and hands to the guards."""

    occurrence_id: int
    schedule_name: str
    trigger_type: TriggerType
    trigger_name: str | None
    scheduled_for: datetime
    not_before: datetime
    start_deadline: datetime
    priority: int
    attempt: int
    schedule: TrainingSchedule
    """Configuration and policies as they were when the occurrence was recorded."""
    reason: str = ""
    """Why it still waits."""
