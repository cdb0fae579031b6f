"""What may be asked of the daemon through the `commands` table: each verb and the model of its arguments."""

from enum import StrEnum

from pydantic import Field

from schemas.automation import TrainingSchedule, TriggerCondition
from schemas.base import Frozen
from schemas.outside_text import ReasonText


class Verb(StrEnum):
    """What can be asked."""

    TRIGGER = "trigger"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    STOP = "stop"
    SAVE_SCHEDULE = "save_schedule"
    SWITCH_SCHEDULE = "switch_schedule"
    PAUSE_SCHEDULE = "pause_schedule"
    UNPAUSE_SCHEDULE = "unpause_schedule"
    REMOVE_SCHEDULE = "remove_schedule"
    SAVE_TRIGGER = "save_trigger"
    SWITCH_TRIGGER = "switch_trigger"
    PAUSE_TRIGGER = "pause_trigger"
    UNPAUSE_TRIGGER = "unpause_trigger"
    REMOVE_TRIGGER = "remove_trigger"
    RETRY_MAIL = "retry_mail"


class TriggerArguments(Frozen):
    """Run a schedule or a trigger now."""

    name: str
    note: ReasonText = ""
    emergency: bool = False


class PauseArguments(Frozen):
    """Launch nothing until `resume`."""

    note: ReasonText = ""


class CancelArguments(Frozen):
    """End what a schedule has under way and waiting, or one execution."""

    schedule_name: str | None = None
    execution_id: int | None = Field(default=None, ge=1)


class ScheduleArguments(Frozen):
    """Save a schedule; one of that name is replaced."""

    schedule: TrainingSchedule


class TriggerDefinitionArguments(Frozen):
    """Save a trigger; one of that name is replaced."""

    trigger: TriggerCondition


class SwitchArguments(Frozen):
    """Enable or disable a schedule or trigger."""

    name: str
    enabled: bool


class NamedArguments(Frozen):
    """A schedule or trigger, and why."""

    name: str
    note: ReasonText = ""


class NoArguments(Frozen):
    """For `resume`, `stop` and `retry_mail`."""
