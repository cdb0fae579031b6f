"""What a dropped file says."""

import json

from pydantic import ValidationError

from schemas.automation import NAME_PATTERN, Drop
from schemas.settings import describe

MAX_BYTES = 1_000_000


def read_drop(data: bytes, *, is_json: bool) -> Drop:
    """The request in a file's content.

    Args:
        data: the whole file.
        is_json: it must hold a JSON object; else it may also be empty, or name a schedule.

    Raises:
        ValueError: it says nothing we understand; the message is for the person who dropped it.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text: byte {error.start} is {data[error.start]:#04x}") from error
    if is_json or text.startswith("{"):
        return _from_json(text)
    if not text:
        return Drop()
    try:
        return Drop(schedule=text)
    except ValidationError as error:
        raise ValueError(
            f"{text[:60]!r} is neither empty, nor a schedule's name ({NAME_PATTERN}), nor a JSON object"
        ) from error


def _from_json(text: str) -> Drop:
    try:
        tree = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"no valid JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ValueError(f"a JSON object is needed, this is a {type(tree).__name__}")  # noqa: TRY004
    try:
        return Drop.model_validate(tree)
    except ValidationError as error:
        raise ValueError(describe(error)) from error
