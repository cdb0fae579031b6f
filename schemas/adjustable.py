"""The base of configuration objects that a user changes in place, as the guides do."""

from pydantic import BaseModel, ConfigDict


class Adjustable(BaseModel):
    """Fields may be assigned, and each assignment is validated; an unknown field is an error."""

    model_config = ConfigDict(
        extra="forbid", validate_assignment=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
