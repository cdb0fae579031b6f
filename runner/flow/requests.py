"""What may be asked of the daemon through the `commands` table: each verb and the model of its arguments."""

from enum import StrEnum

from pydantic import Field

from schemas.frozen import Frozen
from schemas.outside_text import ReasonText


class Verb(StrEnum):
    """What can be asked."""

    TRIGGER = "trigger"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    STOP = "stop"


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


class NoArguments(Frozen):
    """For `resume` and `stop`."""
