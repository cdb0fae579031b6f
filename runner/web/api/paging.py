"""Cursors: where the next page of a listing begins, as text that programs hand back and do not read."""

import base64
import json
from collections.abc import Sequence

from runner.web.problems import ProblemError

PAGE, MOST = 50, 200
Key = int | str


def cursor_of(*key: Key) -> str:
    """The key of the last row that was shown."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).rstrip(b"=").decode()


def key_of(cursor: str | None, kinds: Sequence[type]) -> tuple[Key, ...] | None:
    """The inverse; None for the first page.

    Raises:
        ProblemError: 400, no cursor of this listing.
    """
    if cursor is None:
        return None
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds) or not all(map(_fits, values)):
        raise ProblemError(400, "no cursor of this listing: hand back `next` of the page before")
    return tuple(values)


def _fits(value: Key) -> bool:
    return isinstance(value, str) or -(2**63) <= value < 2**63
