"""The official HTTP API's JSON: request bodies as the official command sends them, and answers as it reads them.

What never changes in a game is made here; `board_writer` puts it together with the board of each turn. The one
wall-clock content is `latency`: true, as in the official games, so a snake that reads it is not deterministic. As
there, `you.latency` is always "0" in `/move` requests.

Answers are JSON objects read as Go's encoding/json reads them into a struct of texts. What Go takes and other readers
do not, or the other way round: bad UTF-8 and lone surrogates in texts, nesting to 10,000, numbers of any size, names
whatever their case, and a name given more than once, whose nulls change nothing. Source: Go 1.20, encoding/json
(scanner.go, decode.go).
"""

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from pipeline.referee.outcome import Failure
from pipeline.referee.schedule import MatchConditions
from schemas.outside_text import line

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


MOVES = {"up": 0, "down": 1, "left": 2, "right": 3}
"""The four words and the engine's numbers for them; 0 is what a snake plays that never gave a valid move."""
SHORT_BODY = 64
"""Bytes of an answer whose meaning is remembered."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a snake is, from its answer to `GET /`; absent fields are empty, as in the official command."""

    author: str = ""
    color: str = ""
    head: str = ""
    tail: str = ""
    version: str = ""
    warning: str = ""
    """What the official command would refuse in it and we do not; empty: nothing."""


def read_identity(body: bytes) -> Identity | None:
    """Return what `GET /` said, or None where it is no JSON object with text in those fields."""
    told = read_fields(body)
    if told is None:
        return None
    fields = {name: told.get(name, "") for name in ("author", "color", "head", "tail", "version")}
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    return Identity(**texts, warning=_warning(told.get("apiversion"))) if len(texts) == len(fields) else None


def _warning(api_version: str | NoText | None) -> str:
    if not isinstance(api_version, NoText):
        return ""
    return (
        f"its apiversion is {api_version.shown} and no text: the official command refuses such a snake; "
        'answer "apiversion": "1"'
    )


def failure_detail(failure: Failure, status: int, body: bytes) -> str:
    """Return, for a person, what was wrong with an answer that `read_move` refused."""
    if failure is Failure.BAD_STATUS:
        return f"status {status}"
    return f"answered {line(body[:80], 120)}" if failure in (Failure.BAD_JSON, Failure.BAD_MOVE) else ""


def read_move(status: int, body: bytes) -> int | Failure:
    """Return the move's number, or why there is none. Judged in the official order: status, JSON, word.

    Field names match whatever their case, as Go's decoder has it; the four words do not.
    """
    if status != 200:
        return Failure.BAD_STATUS
    return _known_move(body) if len(body) <= SHORT_BODY else _move_in(body)


def _move_in(body: bytes) -> int | Failure:
    told = read_fields(body)
    if told is None or isinstance(told.get("shout"), NoText):
        return Failure.BAD_JSON
    word = told.get("move", "")
    return Failure.BAD_JSON if isinstance(word, NoText) else MOVES.get(word, Failure.BAD_MOVE)


_known_move = functools.lru_cache(256)(_move_in)
"""A snake says the same few things most of the time."""


def game_object(game_id: str, conditions: MatchConditions) -> bytes:
    """Return the `game` object, the same in every request of a game and the first line of a replay."""
    numbers = conditions.numbers
    return orjson.dumps(
        {
            "id": game_id,
            "ruleset": {
                "name": conditions.ruleset,
                "version": "cli",
                "settings": {
                    "foodSpawnChance": numbers.food_spawn_chance,
                    "minimumFood": numbers.minimum_food,
                    "hazardDamagePerTurn": numbers.hazard_damage_per_turn,
                    "hazardMap": "",
                    "hazardMapAuthor": "",
                    "royale": {"shrinkEveryNTurns": numbers.shrink_every_n_turns},
                    "squad": {
                        "allowBodyCollisions": False,
                        "sharedElimination": False,
                        "sharedHealth": False,
                        "sharedLength": False,
                    },
                },
            },
            "map": conditions.map_id,
            "timeout": conditions.timeout_ms,
            "source": "",
        }
    )


def fixed_texts(game: bytes, conditions: MatchConditions, snakes: Sequence[tuple[str, str, Identity]]) -> list[bytes]:
    """Return the parts of a body that stay the same all game, as `board_writer` takes them.

    Args:
        game: the `game` object.
        snakes: id, name and identity by seat.
    """
    parts = [
        b'{"game":' + game + b',"turn":',
        b',"board":{"height":%d,"width":%d,"snakes":[' % (conditions.height, conditions.width),
    ]
    for snake_id, name, identity in snakes:
        look = orjson.dumps({"color": identity.color, "head": identity.head, "tail": identity.tail})
        parts.append(b'{"id":' + orjson.dumps(snake_id) + b',"name":' + orjson.dumps(name) + b',"latency":"')
        parts.append(b',"shout":"","squad":"","customizations":' + look + b"}")
    return parts
