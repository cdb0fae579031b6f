"""The changing parts of a request body, written straight from the engine's record as JSON text by compiled code.

A turn's text is a row of segments in one buffer: per written snake `health,"body":[...],"head":{...},"length":n`,
then the food list and the hazard list. `protocol.py` splices them between parts that stay the same all game.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import grid, layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.map_names import SNAIL_MODE

Text = NDArray[np.uint8]
Marks = NDArray[np.int64]

_BODY = np.frombuffer(b',"body":[', np.uint8)
_HEAD = np.frombuffer(b'],"head":', np.uint8)
_LENGTH = np.frombuffer(b',"length":', np.uint8)
_CELL_BYTES = 18
"""The longest cell with its comma: `{"x":-1,"y":-1},` and room for three digits."""
_SNAKE_BYTES = 96
"""What a snake's segment has beyond its cells."""


@compiled
def _write_bytes(out: Text, at: int, text: Any) -> int:
    for index in range(text.shape[0]):
        out[at + index] = text[index]
    return int(at + text.shape[0])


@compiled
def _write_number(out: Text, at: int, number: int) -> int:
    if number < 0:
        out[at] = 45
        at += 1
        number = -number
    size = 1
    bound = 10
    while number >= bound:
        bound *= 10
        size += 1
    for index in range(at + size - 1, at - 1, -1):
        out[index] = 48 + number % 10
        number //= 10
    return at + size


@compiled
def _write_cell(out: Text, at: int, cell: int, stride: int) -> int:
    """Write `{"x":1,"y":2}`; cells of the border have coordinates just off the board."""
    out[at] = 123
    out[at + 1] = 34
    out[at + 2] = 120
    out[at + 3] = 34
    out[at + 4] = 58
    at = _write_number(out, at + 5, cell % stride - 1)
    out[at] = 44
    out[at + 1] = 34
    out[at + 2] = 121
    out[at + 3] = 34
    out[at + 4] = 58
    at = _write_number(out, at + 5, cell // stride - 1)
    out[at] = 125
    return at + 1


@compiled
def _write_snake(words: Any, cells: Any, corpses: Any, game: int, snake: int, path: Any, out: Text, at: int) -> int:
    snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
    stride = int(words[game, layout.STRIDE])
    length = int(words[game, snake_at + layout.LENGTH])
    stack = int(words[game, snake_at + layout.STACK])
    distinct = length - stack + 1
    if words[game, snake_at + layout.CAUSE] == layout.ALIVE_CAUSE:
        grid.body_path(words, cells, game, snake_at, path)
    else:
        for index in range(distinct):
            path[index] = corpses[game, snake, index]
    at = _write_number(out, at, int(words[game, snake_at + layout.HEALTH]))
    at = _write_bytes(out, at, _BODY)
    for index in range(length):
        if index > 0:
            out[at] = 44
            at += 1
        at = _write_cell(out, at, path[max(distinct - 1 - index, 0)], stride)
    at = _write_bytes(out, at, _HEAD)
    at = _write_cell(out, at, path[distinct - 1], stride)
    at = _write_bytes(out, at, _LENGTH)
    return int(_write_number(out, at, length))


@compiled
def _write_food(words: Any, game: int, out: Text, at: int) -> int:
    out[at] = 91
    at += 1
    first = int(words[game, layout.FOOD_AT])
    for index in range(words[game, layout.FOOD]):
        if index > 0:
            out[at] = 44
            at += 1
        at = _write_cell(out, at, words[game, first + index], int(words[game, layout.STRIDE]))
    out[at] = 93
    return at + 1


@compiled
def _write_cells(out: Text, at: int, cell: int, stride: int, count: int) -> int:
    """Write one cell so often, a comma before each."""
    for _ in range(count):
        out[at] = 44
        at = _write_cell(out, at + 1, cell, stride)
    return at


@compiled
def _write_hazards(words: Any, cells: Any, game: int, out: Text, at: int) -> int:
    """Every hazard of a stack, those just off the board included, column by column as official royale lists them.

    Map snail_mode's pending trails follow where the official engine keeps them, one board height above.
    """
    area, stride, height = words[game, layout.AREA], words[game, layout.STRIDE], words[game, layout.HEIGHT]
    snail = words[game, layout.MAP] == SNAIL_MODE
    first = at
    if words[game, layout.HAZARDS] > 0:
        for x in range(stride):
            # The row above the board is written from the pending trails on that map.
            for cell in range(x, (height + 1) * stride if snail else area, stride):
                at = _write_cells(out, at, cell, stride, cells[game, area + cell])
    if snail:
        for snake in range(words[game, layout.SNAKES]):
            snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
            cell = words[game, snake_at + layout.PENDING] + height * stride
            at = _write_cells(out, at, cell, stride, words[game, snake_at + layout.PENDING_COUNT])
    if at == first:
        out[at] = 91
        at += 1
    out[first] = 91  # instead of the first comma
    out[at] = 93
    return at + 1


@compiled
def _bytes_needed(words: Any, cells: Any, game: int) -> int:
    total = int(words[game, layout.FOOD]) + 2
    for snake in range(words[game, layout.SNAKES]):
        snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
        total += int(words[game, snake_at + layout.LENGTH]) + int(words[game, snake_at + layout.PENDING_COUNT])
    if words[game, layout.HAZARDS] > 0:
        area = int(words[game, layout.AREA])
        for at in range(area, 2 * area):
            total += int(cells[game, at])
    return total * _CELL_BYTES + int(words[game, layout.SNAKES]) * _SNAKE_BYTES


@compiled
def write_board(
    words: Any, cells: Any, corpses: Any, game: int, dead_too: bool, path: Any, out: Text, marks: Marks
) -> int:
    """Write the segments of one game into `out`; return 0, or how many bytes `out` must have to be tried again.

    Segment `s` (snakes by seat, then food, then hazards) ends at `marks[s]` and begins where the one before it ends;
    a dead snake's is empty unless `dead_too`. `path` is scratch, int16[at least width * height + 2].
    """
    needed = _bytes_needed(words, cells, game)
    if needed > out.shape[0]:
        return int(needed)
    at = 0
    snakes = int(words[game, layout.SNAKES])
    for snake in range(snakes):
        cause = words[game, layout.HEADER + snake * layout.SNAKE_WORDS + layout.CAUSE]
        if dead_too or cause == layout.ALIVE_CAUSE:
            at = _write_snake(words, cells, corpses, game, snake, path, out, at)
        marks[snake] = at
    at = _write_food(words, game, out, at)
    marks[snakes] = at
    marks[snakes + 1] = _write_hazards(words, cells, game, out, at)
    return 0
