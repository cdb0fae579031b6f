"""One game's grid: neighbours, walking a body, putting food down and taking it up, whether a head may enter a cell."""

import numpy as np

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import Bodies, Record


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
def wrap(game: Record, cell: int, direction: int) -> int:
    """Return the cell at the opposite edge, for a border cell reached by a step in `direction`."""
    if direction == 0:
        return cell - game.fields[layout.HEIGHT] * game.fields[layout.STRIDE]
    if direction == 1:
        return cell + game.fields[layout.HEIGHT] * game.fields[layout.STRIDE]
    if direction == 2:
        return cell + game.fields[layout.WIDTH]
    return cell - game.fields[layout.WIDTH]


@inlined
def neighbour(game: Record, cell: int, direction: int) -> int:
    """Return the next cell in `direction`; in wrapped games across the edge, else maybe on the border."""
    there = step_towards(cell, direction, game.fields[layout.STRIDE])
    if game.fields[layout.RULES] & layout.WRAPPED and game.grid[unsigned(there)] & layout.OWNER == layout.WALL:
        return wrap(game, there, direction)
    return there


@inlined
def following(game: Record, cell: int, direction: int, ways: int, wrapped: bool) -> int:
    """Return what `neighbour` does, for callers that have looked up the board's ways and whether edges wrap."""
    there = onward(cell, direction, ways)
    if wrapped and game.grid[unsigned(there)] & layout.OWNER == layout.WALL:
        return wrap(game, there, direction)
    return there


@inlined
def direction_at(game: Record, cell: int) -> int:
    """Return the direction from a body cell to the next one towards the head."""
    return (game.grid[unsigned(cell)] >> layout.DIRECTION_SHIFT) & layout.DIRECTION_MASK


@inlined
def cell_of(game: Record, x: int, y: int) -> int:
    """Return the cell number of (x, y)."""
    return (y + 1) * game.fields[layout.STRIDE] + x + 1


@compiled
def body_path(game: Record, snake_at: int, path: Bodies) -> int:
    """Write a living snake's distinct cells, tail first and head last, into `path`; return their number."""
    steps = game.fields[snake_at + layout.LENGTH] - game.fields[snake_at + layout.STACK]
    cell = int(game.fields[snake_at + layout.TAIL])
    for index in range(steps):
        path[index] = cell
        cell = neighbour(game, cell, direction_at(game, cell))
    path[steps] = game.fields[snake_at + layout.HEAD]
    return steps + 1


@compiled
def add_food(game: Record, cell: int) -> None:
    """Append food on a cell that has none."""
    game.fields[game.fields[layout.FOOD_AT] + game.fields[layout.FOOD]] = cell
    game.fields[layout.FOOD] += 1
    game.grid[cell] |= layout.FOOD_BIT


@compiled
def remove_food(game: Record, cell: int) -> None:
    """Take the food on `cell` away; the rest keeps its order."""
    game.grid[cell] &= 255 - layout.FOOD_BIT
    first = game.fields[layout.FOOD_AT]
    last = first + game.fields[layout.FOOD] - 1
    index = first
    while game.fields[index] != cell:
        index += 1
    while index < last:
        game.fields[index] = game.fields[index + 1]
        index += 1
    game.fields[layout.FOOD] -= 1


@compiled
def clear_food(game: Record) -> None:
    """Take all food away."""
    first = game.fields[layout.FOOD_AT]
    for index in range(first, first + game.fields[layout.FOOD]):
        game.grid[game.fields[index]] &= 255 - layout.FOOD_BIT
    game.fields[layout.FOOD] = 0


@compiled
def add_hazard(game: Record, cell: int, count: int) -> None:
    """Stack `count` more hazards on a cell (255 at most, the byte's limit)."""
    at = game.fields[layout.AREA] + cell
    if game.grid[at] == 0 and count > 0:
        game.fields[layout.HAZARDS] += 1
    game.grid[at] = min(game.grid[at] + count, 255)


@compiled
def clear_hazards(game: Record) -> None:
    """Take all hazards away."""
    area = game.fields[layout.AREA]
    if game.fields[layout.HAZARDS] > 0:
        for at in range(area, 2 * area):
            game.grid[at] = 0
    game.fields[layout.HAZARDS] = 0


@inlined
def is_leaving_tail(game: Record, cell: int) -> bool:
    """Return whether an occupied cell is a tail that moves away this very turn."""
    owner = game.grid[cell] & layout.OWNER
    if owner > 16:
        return False
    owner_at = layout.HEADER + (owner - 1) * layout.SNAKE_FIELDS
    return bool(game.fields[owner_at + layout.TAIL] == cell and game.fields[owner_at + layout.STACK] == 1)


@inlined
def is_open(game: Record, cell: int) -> bool:
    """Return whether neither wall nor body forbids `cell`; a tail that moves away this turn forbids nothing."""
    return game.grid[cell] & layout.OWNER == 0 or is_leaving_tail(game, cell)
