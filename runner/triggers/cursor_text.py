"""A condition's memory between two looks, as JSON text."""

from typing import TypeVar

from pydantic import ValidationError

from schemas.base import Frozen

Memory = TypeVar("Memory", bound=Frozen)


def remembered(model: type[Memory], cursor: str) -> Memory | None:
    """What the last look wrote; None on the first look, and for text that this version cannot read (a trigger whose
    condition was exchanged): the condition then begins anew."""
    if not cursor or cursor in {"{}", "null"}:
        return None
    try:
        return model.model_validate_json(cursor)
    except ValidationError:
        return None
