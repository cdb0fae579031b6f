"""JSON objects read as Go's encoding/json reads them into a struct of texts, as the official command does.

What Go takes and other readers do not, or the other way round: bad UTF-8 and lone surrogates in texts, nesting to
10,000, numbers of any size, names whatever their case, and a name given more than once, whose nulls change nothing.
Source: Go 1.20, encoding/json (scanner.go, decode.go).
"""

import json
import re
from dataclasses import dataclass
from typing import Final

MOST_NESTED: Final = 10_000
_BLANKS: Final = b" \t\r\n"
_TOKEN: Final = re.compile(
    rb'("[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*"'
    rb"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|[][{},:])[ \t\r\n]*"
)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_VALUE, _END, _NAME, _COLON, _COMMA = range(5)
_CLOSES: Final = {b"]": b"[", b"}": b"{"}


@dataclass(frozen=True, slots=True)
class NoText:
    """A value that is neither a text nor null."""

    shown: str
    """How it begins."""


Fields = dict[str, str | NoText]


def read_fields(body: bytes) -> Fields | None:
    """Return the fields of an object that are not null, by name in lower case; None: no object or not JSON.

    Of several with one name the last counts, but one that is no text always does, since Go then refuses the whole.
    JSON's null is an object without fields.
    """
    found = _Reading(body).run()
    if found is None:
        return None
    fields: Fields = {}
    for name, value in found:
        if value is not None and not isinstance(fields.get(name), NoText):
            fields[name] = value
    return fields


class _Reading:
    """One pass over the tokens; no recursion, so that nesting costs no stack."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._open: list[bytes] = []
        self._found: list[tuple[str, str | NoText | None]] = []
        self._name = ""

    def run(self) -> list[tuple[str, str | NoText | None]] | None:
        """Return the pairs of the outermost object in their order; None: it is none."""
        body = self._body
        at = len(body) - len(body.lstrip(_BLANKS))
        first = body[at : at + 1]
        expected, may_close = _VALUE, False
        while at < len(body):
            match = _TOKEN.match(body, at)
            if match is None:
                return None
            at = match.end()
            following = self._take(match[1], expected, may_close=may_close)
            if following is None:
                return None
            expected = following
            may_close = match[1] in (b"[", b"{")
        whole = expected == _END and not self._open
        return self._found if whole and (first == b"{" or body.strip(_BLANKS) == b"null") else None

    def _take(self, token: bytes, expected: int, *, may_close: bool) -> int | None:
        """Take a token; return what may follow, None where it must not stand here."""
        if token in _CLOSES:
            if not (may_close or expected == _COMMA) or not self._open or self._open.pop() != _CLOSES[token]:
                return None
            return _COMMA if self._open else _END
        if expected == _COMMA:
            return (_NAME if self._open[-1] == b"{" else _VALUE) if token == b"," else None
        if expected == _COLON:
            return _VALUE if token == b":" else None
        if expected == _NAME:
            return self._take_name(token)
        return self._take_value(token) if expected == _VALUE else None

    def _take_name(self, token: bytes) -> int | None:
        if token[:1] != b'"':
            return None
        if len(self._open) == 1:
            self._name = _text(token).casefold()
        return _COLON

    def _take_value(self, token: bytes) -> int | None:
        if token in (b",", b":"):
            return None
        if self._open == [b"{"]:
            null = token == b"null"
            told = _text(token) if token[:1] == b'"' else NoText(token[:20].decode())
            self._found.append((self._name, None if null else told))
        if token in (b"[", b"{"):
            self._open.append(token)
            if len(self._open) > MOST_NESTED:
                return None
            return _NAME if token == b"{" else _VALUE
        return _COMMA if self._open else _END


def _text(token: bytes) -> str:
    return _LONE_SURROGATE.sub("\ufffd", json.loads(token.decode(errors="replace")))
