"""Request bodies, written straight from the engine's record as JSON text by compiled code.

A turn's text is one buffer: what all bodies of the turn share, up to `"you":`, then each snake's own part. Text that
never changes in a game comes as `texts`, one string with the `ends` of its parts: what stands before the turn, what
stands between it and the snakes, then for each seat what stands before and behind its latency and board
(`protocol.fixed_texts` makes it).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import grid, layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import Record
from pipeline.engine.map_names import SNAIL_MODE
from pipeline.engine.turn import play_turn

Text = NDArray[np.uint8]
Marks = NDArray[np.int64]

_BODY = np.frombuffer(b',"body":[', np.uint8)
_HEAD = np.frombuffer(b'],"head":', np.uint8)
_LENGTH = np.frombuffer(b',"length":', np.uint8)
_HEALTH = np.frombuffer(b'","health":', np.uint8)
_FOOD = np.frombuffer(b'],"food":', np.uint8)
_HAZARDS = np.frombuffer(b',"hazards":', np.uint8)
_YOU = np.frombuffer(b'},"you":', np.uint8)
_CELL_BYTES = 18
"""The longest cell with its comma: `{"x":-1,"y":-1},` and room for three digits."""
_SNAKE_BYTES = 96
"""What a snake's text has beyond its cells and what never changes."""


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
def _write_snake(game: Record, snake: int, path: Any, out: Text, at: int) -> int:
    snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
    stride = int(game.fields[layout.STRIDE])
    length = int(game.fields[snake_at + layout.LENGTH])
    stack = int(game.fields[snake_at + layout.STACK])
    distinct = length - stack + 1
    if game.fields[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE:
        grid.body_path(game, snake_at, path)
    else:
        for index in range(distinct):
            path[index] = game.corpses[snake, index]
    at = _write_number(out, at, int(game.fields[snake_at + layout.HEALTH]))
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
def _write_food(game: Record, out: Text, at: int) -> int:
    out[at] = 91
    at += 1
    first = int(game.fields[layout.FOOD_AT])
    for index in range(game.fields[layout.FOOD]):
        if index > 0:
            out[at] = 44
            at += 1
        at = _write_cell(out, at, game.fields[first + index], int(game.fields[layout.STRIDE]))
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
def _write_hazards(game: Record, out: Text, at: int) -> int:
    """Every hazard of a stack, those just off the board included, column by column as official royale lists them.

    Map snail_mode's pending trails follow where the official engine keeps them, one board height above.
    """
    area, stride, height = game.fields[layout.AREA], game.fields[layout.STRIDE], game.fields[layout.HEIGHT]
    snail = game.fields[layout.MAP] == SNAIL_MODE
    first = at
    if game.fields[layout.HAZARDS] > 0:
        for x in range(stride):
            # The row above the board is written from the pending trails on that map.
            for cell in range(x, (height + 1) * stride if snail else area, stride):
                at = _write_cells(out, at, cell, stride, game.grid[area + cell])
    if snail:
        for snake in range(game.fields[layout.SNAKES]):
            snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
            cell = game.fields[snake_at + layout.PENDING] + height * stride
            at = _write_cells(out, at, cell, stride, game.fields[snake_at + layout.PENDING_COUNT])
    if at == first:
        out[at] = 91
        at += 1
    out[first] = 91  # instead of the first comma
    out[at] = 93
    return at + 1


@compiled
def _bytes_needed(game: Record, fixed: int) -> int:
    """Enough for all: every snake stands on the board and once more as `you`."""
    total = int(game.fields[layout.FOOD]) + 2
    for snake in range(game.fields[layout.SNAKES]):
        snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
        total += 2 * int(game.fields[snake_at + layout.LENGTH]) + int(game.fields[snake_at + layout.PENDING_COUNT])
    if game.fields[layout.HAZARDS] > 0:
        area = int(game.fields[layout.AREA])
        for at in range(area, 2 * area):
            total += int(game.grid[at])
    return total * _CELL_BYTES + (2 * int(game.fields[layout.SNAKES]) + 2) * _SNAKE_BYTES + 2 * fixed


@compiled
def _write_part(texts: Text, ends: Marks, part: int, out: Text, at: int) -> int:
    start = ends[part - 1] if part > 0 else 0
    return int(_write_bytes(out, at, texts[start : ends[part]]))


@compiled
def _write_rest(game: Record, snake: int, texts: Text, ends: Marks, path: Any, out: Text, at: int) -> int:
    """Write what follows a snake's latency."""
    at = _write_bytes(out, at, _HEALTH)
    at = _write_snake(game, snake, path, out, at)
    return int(_write_part(texts, ends, 2 * snake + 3, out, at))


@compiled
def write_bodies(
    game: Record, at_end: bool, texts: Text, ends: Marks, latencies: Marks, path: Any, out: Text, marks: Marks
) -> int:
    """Write the bodies of one game into `out`; return 0, or how many bytes `out` must have to be tried again.

    `marks[0]` becomes the end of what all share, `marks[1 + s]` that of seat `s`'s own part, which begins where the one
    before it ends; a dead snake has none unless `at_end`. The other half of `marks` is scratch. `latencies` are whole
    milliseconds by seat, told of the board's snakes and, `at_end`, of `you`. `path` is scratch,
    int16[at least width * height + 2].
    """
    needed = _bytes_needed(game, texts.shape[0])
    if needed > out.shape[0]:
        return int(needed)
    snakes = int(game.fields[layout.SNAKES])
    at = _write_part(texts, ends, 0, out, 0)
    at = _write_number(out, at, game.clock[layout.TURN])
    at = _write_part(texts, ends, 1, out, at)
    first = at
    for snake in range(snakes):
        marks[1 + snake] = marks[1 + snakes + snake] = 0
        if game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE:
            if at > first:
                out[at] = 44
                at += 1
            at = _write_part(texts, ends, 2 * snake + 2, out, at)
            marks[1 + snake] = at = _write_number(out, at, latencies[snake])
            marks[1 + snakes + snake] = at = _write_rest(game, snake, texts, ends, path, out, at)
    at = _write_bytes(out, at, _FOOD)
    at = _write_food(game, out, at)
    at = _write_bytes(out, at, _HAZARDS)
    at = _write_hazards(game, out, at)
    marks[0] = at = _write_bytes(out, at, _YOU)
    for snake in range(snakes):
        start, end = marks[1 + snake], marks[1 + snakes + snake]
        if end > 0 or at_end:
            at = _write_part(texts, ends, 2 * snake + 2, out, at)
            at = _write_number(out, at, latencies[snake] if at_end else 0)
            if end > 0:
                at = _write_bytes(out, at, out[start:end])
            else:
                at = _write_rest(game, snake, texts, ends, path, out, at)
            out[at] = 125
            at += 1
        marks[1 + snake] = at
    return 0


@compiled
def play_and_write(
    game: Record, moves: Any, texts: Text, ends: Marks, latencies: Marks, path: Any, out: Text, marks: Marks
) -> int:
    """Play one turn of a game and write its bodies as `write_bodies` does; what that returns."""
    play_turn(game, moves)
    return int(write_bodies(game, False, texts, ends, latencies, path, out, marks))
