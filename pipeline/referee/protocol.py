"""The official HTTP API's JSON: request bodies as the official command sends them, and answers as it reads them.

What never changes in a game is made here; `board_writer` puts it together with the board of each turn. The one
wall-clock content is `latency`: true, as in the official games, so a snake that reads it is not deterministic. As
there, `you.latency` is always "0" in `/move` requests.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from pipeline.referee.conditions import MatchConditions
from pipeline.referee.go_json import NoText, read_fields
from pipeline.referee.outcome import Failure
from schemas.outside_text import line

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
