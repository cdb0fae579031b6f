"""The bases of the shared models: `Frozen` for nearly all, `Adjustable` for what a user changes in place."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable; an unknown field is an error, never silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Adjustable(BaseModel):
    """Fields may be assigned, and each assignment is validated; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)
