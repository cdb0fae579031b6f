"""Steps on one game's grid: neighbours, walking a body, putting food down and taking it up."""

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import (
    AREA,
    DIRECTION_MASK,
    DIRECTION_SHIFT,
    FOOD,
    FOOD_AT,
    FOOD_BIT,
    HAZARDS,
    HEAD,
    HEIGHT,
    LENGTH,
    OWNER,
    RULES,
    STACK,
    STRIDE,
    TAIL,
    WALL,
    WIDTH,
    WRAPPED,
    Cells,
    Words,
)


@inlined
def unsigned(cell: int) -> np.uint64:
    """Return a cell's number as an index that is never negative: a signed one costs four instructions more."""
    return np.uint64(cell)


@inlined
def ways_of(stride: int) -> int:
    """Return the four steps on a board, 16 bits each in the order of the directions; see `onward`."""
    return (stride & 0xFFFF) | ((-stride & 0xFFFF) << 16) | (0xFFFF << 32) | (1 << 48)


@inlined
def onward(cell: int, direction: int, ways: int) -> int:
    """Return the cell next to `cell`, maybe on the border; `ways` from `ways_of`.

    No branch: which way a snake goes is hard to predict for the processor too.
    """
    return cell + int(np.int16(ways >> (direction << 4)))


@inlined
def step_towards(cell: int, direction: int, stride: int) -> int:
    """Return the cell next to `cell`, maybe on the border."""
    return onward(cell, direction, ways_of(stride))


@inlined
def wrap(words: Words, game: int, cell: int, direction: int) -> int:
    """Return the cell at the opposite edge, for a border cell reached by a step in `direction`."""
    if direction == 0:
        return cell - words[game, HEIGHT] * words[game, STRIDE]
    if direction == 1:
        return cell + words[game, HEIGHT] * words[game, STRIDE]
    if direction == 2:
        return cell + words[game, WIDTH]
    return cell - words[game, WIDTH]


@inlined
def neighbour(words: Words, cells: Cells, game: int, cell: int, direction: int) -> int:
    """Return the next cell in `direction`; in wrapped games across the edge, else maybe on the border."""
    there = step_towards(cell, direction, words[game, STRIDE])
    if words[game, RULES] & WRAPPED and cells[game, unsigned(there)] & OWNER == WALL:
        return wrap(words, game, there, direction)
    return there


@inlined
def following(words: Words, cells: Cells, game: int, cell: int, direction: int, ways: int, wrapped: bool) -> int:
    """Return what `neighbour` does, for callers that have looked up the board's ways and whether edges wrap."""
    there = onward(cell, direction, ways)
    if wrapped and cells[game, unsigned(there)] & OWNER == WALL:
        return wrap(words, game, there, direction)
    return there


@inlined
def direction_at(cells: Cells, game: int, cell: int) -> int:
    """Return the direction from a body cell to the next one towards the head."""
    return (cells[game, unsigned(cell)] >> DIRECTION_SHIFT) & DIRECTION_MASK


@inlined
def cell_of(words: Words, game: int, x: int, y: int) -> int:
    """Return the cell number of (x, y)."""
    return (y + 1) * words[game, STRIDE] + x + 1


@compiled
def body_path(words: Words, cells: Cells, game: int, snake_at: int, path: Words) -> int:
    """Write a living snake's distinct cells, tail first and head last, into `path`; return their number."""
    steps = words[game, snake_at + LENGTH] - words[game, snake_at + STACK]
    cell = int(words[game, snake_at + TAIL])
    for index in range(steps):
        path[index] = cell
        cell = neighbour(words, cells, game, cell, direction_at(cells, game, cell))
    path[steps] = words[game, snake_at + HEAD]
    return steps + 1


@compiled
def add_food(words: Words, cells: Cells, game: int, cell: int) -> None:
    """Append food on a cell that has none."""
    words[game, words[game, FOOD_AT] + words[game, FOOD]] = cell
    words[game, FOOD] += 1
    cells[game, cell] |= FOOD_BIT


@compiled
def remove_food(words: Words, cells: Cells, game: int, cell: int) -> None:
    """Take the food on `cell` away; the rest keeps its order."""
    cells[game, cell] &= 255 - FOOD_BIT
    first = words[game, FOOD_AT]
    last = first + words[game, FOOD] - 1
    index = first
    while words[game, index] != cell:
        index += 1
    while index < last:
        words[game, index] = words[game, index + 1]
        index += 1
    words[game, FOOD] -= 1


@compiled
def clear_food(words: Words, cells: Cells, game: int) -> None:
    """Take all food away."""
    first = words[game, FOOD_AT]
    for index in range(first, first + words[game, FOOD]):
        cells[game, words[game, index]] &= 255 - FOOD_BIT
    words[game, FOOD] = 0


@compiled
def add_hazard(words: Words, cells: Cells, game: int, cell: int, count: int) -> None:
    """Stack `count` more hazards on a cell (255 at most, the byte's limit)."""
    at = words[game, AREA] + cell
    if cells[game, at] == 0 and count > 0:
        words[game, HAZARDS] += 1
    cells[game, at] = min(cells[game, at] + count, 255)


@compiled
def clear_hazards(words: Words, cells: Cells, game: int) -> None:
    """Take all hazards away."""
    area = words[game, AREA]
    if words[game, HAZARDS] > 0:
        for at in range(area, 2 * area):
            cells[game, at] = 0
    words[game, HAZARDS] = 0
