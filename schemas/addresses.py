"""E-mail addresses as people write them into settings and schedules."""

from email.utils import getaddresses
from typing import Annotated

from pydantic import AfterValidator

from schemas.outside_text import NAME_LIMIT, line


def checked_address(text: str) -> str:
    """The address, unchanged: `a@b.c`, or `Ann <a@b.c>`.

    Raises:
        ValueError: it is none, is several, or holds characters that end a header.
    """
    found = getaddresses([text])
    address = found[0][1] if len(found) == 1 else ""
    local, _, domain = address.rpartition("@")
    plain = local.startswith('"') or not any(char.isspace() for char in address)
    balanced = text.count("<") == text.count(">") <= 1
    if not (local and domain and plain and balanced) or address not in text or line(text, 0) != text:
        raise ValueError(f"{line(text, NAME_LIMIT)!r} is no e-mail address")
    return text


EmailAddress = Annotated[str, AfterValidator(checked_address)]
