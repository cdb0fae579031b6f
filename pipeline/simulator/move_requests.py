"""Positions of a batch as the API's /move requests, a line of JSON each: what a snake of its own program is asked.

Only what such a snake chooses its move by stands in them: rules, turn, board, and which snake is asked.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import body_path
from pipeline.engine.layout import ALIVE_CAUSE, HEADER, SNAKE_FIELDS, Bodies, Record, Records
from pipeline.engine.record import record_of

_LINE_BYTES: Final = 256
_SNAKE_BYTES: Final = 64
_CELL_BYTES: Final = len('{"x":24,"y":24},')


def _piece(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8).copy()


_GAME: Final = _piece('{"game":{"ruleset":{"name":"')
_STANDARD, _CONSTRICTOR = _piece("standard"), _piece("constrictor")
_WRAPPED, _WRAPPED_CONSTRICTOR = _piece("wrapped"), _piece("wrapped_constrictor")
_DAMAGE: Final = _piece('","settings":{"hazardDamagePerTurn":')
_TURN: Final = _piece('}}},"turn":')
_WIDTH, _HEIGHT, _FOOD = _piece(',"board":{"width":'), _piece(',"height":'), _piece(',"food":[')
_HAZARDS, _SNAKES = _piece('],"hazards":['), _piece('],"snakes":[')
_ID, _HEALTH, _BODY, _END_OF_BODY = _piece('{"id":"'), _piece('","health":'), _piece(',"body":['), _piece("]}")
_YOU, _END = _piece(']},"you":{"id":"'), _piece('"}}\n')
_X, _Y, _END_OF_CELL = _piece('{"x":'), _piece(',"y":'), _piece("}")
_COMMA, _MINUS, _ZERO = ord(","), ord("-"), ord("0")


class MoveRequests:
    """Writes requests into memory of its own, which grows with what is asked; used by one thread."""

    def __init__(self) -> None:
        self._text = np.zeros(1 << 16, np.uint8)
        self._path: Final = np.zeros(layout.MAX_SIDE * layout.MAX_SIDE + 2, np.int16)

    def lines(self, records: Records, games: NDArray[np.int64], snakes: NDArray[np.int64]) -> memoryview:
        """The requests of snake snakes[i] of game games[i] of `records`, int64[M] both, a line each: bytes that stand
        until the next call. Every one of these snakes lives; a dead one's line is refused by who reads it."""
        room = room_for(records, games)
        if room > len(self._text):
            self._text = np.zeros(2 * room, np.uint8)
        return self._text[: write_requests(records, games, snakes, self._path, self._text)].data


@compiled
def room_for(records: Records, games: NDArray[np.int64]) -> int:
    """Return how many bytes the requests of these games take at most."""
    room = 0
    for number in games:
        game = record_of(records, number)
        cells = int(game.fields[layout.FOOD])
        if game.fields[layout.HAZARDS] > 0:
            for cell in range(game.fields[layout.AREA]):
                cells += game.grid[game.fields[layout.AREA] + cell]
        for snake in range(game.fields[layout.SNAKES]):
            cells += game.fields[HEADER + snake * SNAKE_FIELDS + layout.LENGTH]
        room += _LINE_BYTES + _SNAKE_BYTES * game.fields[layout.SNAKES] + _CELL_BYTES * cells
    return room


@compiled
def write_requests(
    records: Records, games: NDArray[np.int64], snakes: NDArray[np.int64], path: Bodies, text: NDArray[np.uint8]
) -> int:
    """Write the requests into `text`, which has `room_for` them; return their bytes. `path`: scratch for a body."""
    at = 0
    for row in range(games.shape[0]):
        at = write_request(record_of(records, games[row]), snakes[row], path, text, at)
    return at


@compiled
def write_request(game: Record, you: int, path: Bodies, text: NDArray[np.uint8], at: int) -> int:
    """Write one request from `at` on; return where it ends."""
    rules = game.fields[layout.RULES]
    at = put(text, at, _GAME)
    at = put_ruleset(text, at, int(rules))
    at = put_number(text, put(text, at, _DAMAGE), int(game.fields[layout.DAMAGE]))
    at = put_number(text, put(text, at, _TURN), int(game.clock[layout.TURN]))
    at = put_number(text, put(text, at, _WIDTH), int(game.fields[layout.WIDTH]))
    at = put_number(text, put(text, at, _HEIGHT), int(game.fields[layout.HEIGHT]))
    at = put(text, at, _FOOD)
    for index in range(game.fields[layout.FOOD]):
        at = put_cell(game, text, at, int(game.fields[game.fields[layout.FOOD_AT] + index]), index == 0)
    at = put_hazards(game, text, put(text, at, _HAZARDS))
    at = put_snakes(game, path, text, put(text, at, _SNAKES))
    return put(text, put_number(text, put(text, at, _YOU), you), _END)


@inlined
def put(text: NDArray[np.uint8], at: int, piece: Any) -> int:
    """Write a piece; return where it ends."""
    for index in range(piece.shape[0]):
        text[at + index] = piece[index]
    return int(at + piece.shape[0])


@compiled
def put_ruleset(text: NDArray[np.uint8], at: int, rules: int) -> int:
    """Write the name of the ruleset of these bits, as far as a board is played by it; return where it ends."""
    if rules & layout.CONSTRICTOR:
        return put(text, at, _WRAPPED_CONSTRICTOR if rules & layout.WRAPPED else _CONSTRICTOR)
    return put(text, at, _WRAPPED if rules & layout.WRAPPED else _STANDARD)


@compiled
def put_number(text: NDArray[np.uint8], at: int, number: int) -> int:
    """Write a whole number; return where it ends."""
    if number < 0:
        text[at] = _MINUS
        at, number = at + 1, -number
    digits, rest = 1, number
    while rest >= 10:
        rest //= 10
        digits += 1
    for place in range(digits - 1, -1, -1):
        text[at + place] = _ZERO + number % 10
        number //= 10
    return at + digits


@compiled
def put_cell(game: Record, text: NDArray[np.uint8], at: int, cell: int, first: bool) -> int:
    """Write a cell of a list; return where it ends."""
    if not first:
        text[at] = _COMMA
        at += 1
    stride = int(game.fields[layout.STRIDE])
    at = put_number(text, put(text, at, _X), cell % stride - 1)
    at = put_number(text, put(text, at, _Y), cell // stride - 1)
    return put(text, at, _END_OF_CELL)


@compiled
def put_hazards(game: Record, text: NDArray[np.uint8], at: int) -> int:
    """Write every hazard, once for each layer; return where they end."""
    if game.fields[layout.HAZARDS] == 0:
        return at
    area, first = int(game.fields[layout.AREA]), True
    for cell in range(area):
        for _ in range(game.grid[area + cell]):
            at = put_cell(game, text, at, cell, first)
            first = False
    return at


@compiled
def put_snakes(game: Record, path: Bodies, text: NDArray[np.uint8], at: int) -> int:
    """Write the living snakes, their bodies from the head on; return where they end."""
    first = True
    for snake in range(game.fields[layout.SNAKES]):
        snake_at = HEADER + snake * SNAKE_FIELDS
        if game.fields[snake_at + layout.CAUSE] != ALIVE_CAUSE:
            continue
        if not first:
            text[at] = _COMMA
            at += 1
        first = False
        at = put_number(text, put(text, at, _ID), snake)
        at = put_number(text, put(text, at, _HEALTH), int(game.fields[snake_at + layout.HEALTH]))
        at = put(text, at, _BODY)
        count = body_path(game, snake_at, path)
        for index in range(count - 1, -1, -1):
            at = put_cell(game, text, at, int(path[index]), index == count - 1)
        for _ in range(game.fields[snake_at + layout.STACK] - 1):
            at = put_cell(game, text, at, int(path[0]), False)
        at = put(text, at, _END_OF_BODY)
    return at
