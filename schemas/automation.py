"""When training starts: schedules, triggers and the policies that go with them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from schemas.base import Frozen
from schemas.machine import ResourceRequirements
from schemas.outside_text import EmailAddress, ReasonText
from schemas.times import from_text, to_text
from schemas.training import TrainingConfiguration

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
AUTO_WORKER = "auto"
MAX_HOURS = 87_600
"""Ten years. Beyond some bound a time that is computed from a duration is none that a calendar knows."""
MAX_SECONDS = MAX_HOURS * 3600


class TriggerType(StrEnum):
    """Why a run was asked for."""

    SCHEDULED = "scheduled"
    DATA_DRIVEN = "data_driven"
    PERFORMANCE_DRIVEN = "performance_driven"
    MANUAL = "manual"
    EMERGENCY = "emergency"
    """Ahead of every other queued run, and past the allowed-hours guard."""
    CHAIN = "chain"
    """After another schedule's run ended in a given way."""


class RunnerStatus(StrEnum):
    """What the daemon is doing."""

    IDLE = "idle"
    MONITORING = "monitoring"
    EXECUTING = "executing"
    PAUSED = "paused"
    ERROR = "error"
    MAINTENANCE = "maintenance"


class OverlapPolicy(StrEnum):
    """What becomes of an occurrence whose schedule still runs or waits."""

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    CANCEL_RUNNING = "cancel_running"


class CatchUpPolicy(StrEnum):
    """What becomes of the occurrences that fell due while no daemon ran."""

    NONE = "none"
    LATEST = "latest"
    ALL = "all"


class TrainingSchedule(Frozen):
    """A cron line and everything that goes with the runs it starts."""

    name: str = Field(pattern=NAME_PATTERN)
    cron_expression: str
    """Five fields (names allowed), an optional seconds field, `@daily` and friends, or `H` for hashed jitter."""
    training_config: TrainingConfiguration = Field(default_factory=TrainingConfiguration)
    timezone: str = "UTC"
    enabled: bool = True
    priority: int = Field(default=1, ge=-1000, le=1000)
    """Higher runs first."""
    max_duration_hours: float = Field(default=8, gt=0, le=MAX_HOURS)
    """After this the run is stopped: softly, then TERM, then KILL of its whole process tree."""
    retry_on_failure: bool = True
    max_retries: int = Field(default=2, ge=0, le=100)
    retry_backoff_s: float = Field(default=60, gt=0, le=MAX_SECONDS)
    """Delay before the first retry; doubled for each further one, with jitter."""
    retry_backoff_max_s: float = Field(default=3600, gt=0, le=MAX_SECONDS)
    min_data_threshold: int = Field(default=1000, ge=0)
    """New games since this schedule's last successful run; asked only of workers that train on stored games, and
    not before a first success."""
    resource_requirements: ResourceRequirements = Field(default_factory=ResourceRequirements)
    notify_on_completion: bool = True
    notify_on_failure: bool = True
    notification_emails: list[EmailAddress] = Field(default_factory=list)
    overlap: OverlapPolicy = OverlapPolicy.QUEUE_ONE
    catch_up: CatchUpPolicy = CatchUpPolicy.LATEST
    catch_up_window_hours: float = Field(default=24, gt=0, le=MAX_HOURS)
    """Occurrences older than this are missed whatever `catch_up` says."""
    catch_up_cap: int = Field(default=10, ge=1, le=1000)
    """At most this many are caught up by `all`; the older ones are coalesced."""
    start_deadline_hours: float = Field(default=12, gt=0, le=MAX_HOURS)
    """A run still waiting this long after its scheduled time is missed."""
    jitter_s: float = Field(default=0, ge=0, le=3600)
    """Each launch is delayed by a share of this, fixed by schedule and scheduled time."""
    worker: str = AUTO_WORKER
    """`auto` (the self-play pipeline with a usable GPU, else the Go-weight tuner), or the name of one worker."""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    """Seed of every run of this schedule; None: each run draws its own and stores it."""
    note: ReasonText = ""

    @model_validator(mode="after")
    def _callbacks_stay_home(self) -> Self:
        if self.training_config.progress_callback or self.training_config.notification_callback:
            raise ValueError("training_config: a callback cannot cross to a worker process; use notifications instead")
        return self


class TriggerCondition(Frozen):
    """A condition that is looked at again and again, and starts a run when it holds."""

    name: str = Field(pattern=NAME_PATTERN)
    trigger_type: TriggerType
    condition_function: str
    """A built-in condition's name, `package.module:function`, or an entry point of group `ouroboros.conditions`."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True
    cooldown_hours: float = Field(default=6, ge=0, le=MAX_HOURS)
    last_triggered: datetime | None = None
    """Counts for a new trigger only; without an offset it is UTC."""
    schedule: str | None = None
    """The schedule whose configuration and policies the run takes; None: `training_config` below."""
    training_config: TrainingConfiguration = Field(default_factory=TrainingConfiguration)
    priority: int = Field(default=2, ge=-1000, le=1000)
    check_interval_s: float = Field(default=60, gt=0, le=MAX_SECONDS)
    time_limit_s: float = Field(default=10, gt=0, le=86_400)
    """A condition that takes longer is abandoned: one row and one alert, the loop goes on."""

    @field_validator("last_triggered")
    @classmethod
    def _in_utc(cls, instant: datetime | None) -> datetime | None:
        if instant is None:
            return None
        return from_text(to_text(instant if instant.tzinfo else instant.replace(tzinfo=UTC)))


class FileRequest(TrainingConfiguration):
    """What a trigger file asks for: any fields of a training configuration, and those below. `{}` or an empty file asks
    for a run as the trigger or schedule has it."""

    schedule: str | None = Field(default=None, pattern=NAME_PATTERN)
    """Whose configuration and policies the run takes; the fields given here stand above them."""
    priority: int | None = Field(default=None, ge=-1000, le=1000)
    """None: that of the schedule or trigger."""
    note: ReasonText = ""
    emergency: bool = False
    """Ahead of every other queued run, and past the allowed-hours guard."""

    @model_validator(mode="after")
    def _callbacks_stay_home(self) -> Self:
        if self.progress_callback or self.notification_callback:
            raise ValueError("a callback cannot be given in a file")
        return self

    def training_over(self, base: TrainingConfiguration) -> TrainingConfiguration:
        """`base` with the training fields that this file gives put above it."""
        given = self.model_fields_set & TrainingConfiguration.model_fields.keys()
        return base.model_copy(update={name: getattr(self, name) for name in given})


def create_default_schedules() -> list[TrainingSchedule]:
    """The three schedules that a first start seeds: daily, weekly, and every six hours."""
    return [
        TrainingSchedule(
            name="daily_full_training",
            cron_expression="0 2 * * *",
            training_config=TrainingConfiguration(
                target_phases=["bootstrap", "hybrid", "self_play"], max_training_time_hours=6
            ),
            max_duration_hours=8,
            min_data_threshold=500,
        ),
        TrainingSchedule(
            name="weekly_comprehensive_training",
            cron_expression="0 1 * * 0",
            training_config=TrainingConfiguration(force_retrain=True, max_training_time_hours=12),
            priority=2,
            max_duration_hours=14,
            min_data_threshold=2000,
        ),
        TrainingSchedule(
            name="continuous_learning",
            cron_expression="0 */6 * * *",
            training_config=TrainingConfiguration(target_phases=["continuous"], max_training_time_hours=2),
            max_duration_hours=3,
            min_data_threshold=200,
            notify_on_completion=False,
        ),
    ]


def create_default_triggers() -> list[TriggerCondition]:
    """The three triggers that a first start seeds: new data, a weaker champion, the manual trigger file."""
    return [
        TriggerCondition(
            name="high_data_availability",
            trigger_type=TriggerType.DATA_DRIVEN,
            condition_function="check_new_data_threshold",
            parameters={"min_games": 5000},
            cooldown_hours=12,
        ),
        TriggerCondition(
            name="performance_degradation",
            trigger_type=TriggerType.PERFORMANCE_DRIVEN,
            condition_function="check_performance_degradation",
            parameters={"degradation_threshold": 0.05},
            cooldown_hours=6,
        ),
        TriggerCondition(
            name="manual_trigger_file",
            trigger_type=TriggerType.MANUAL,
            condition_function="check_manual_trigger_file",
            parameters={"trigger_file": "trigger_training.txt"},
            cooldown_hours=1,
            check_interval_s=1,
        ),
    ]
