"""The map solo_maze: hazards are a maze's walls, drawn anew and larger, with the snake put back, at each food eaten.

The maze is made by recursive division, as the official map makes it. The level stands in the hazards of the bottom row,
a bit a cell, the highest at the left.
"""

from typing import Any, Final

import numpy as np

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import add_food, add_hazard, cell_of, clear_hazards, remove_food
from pipeline.engine.layout import Record
from pipeline.engine.rng import FOOD_CELL, HAZARD_MAP, draw, mix, stream
from pipeline.engine.starts import place_snake

FIRST_SIDE: Final = 7
LEVELS_AT_MOST: Final = 5  # played at the largest size before food shuns the snake
SHY: Final = 5  # steps from the head within which such food moves away
_TRIES: Final = 100


@inlined
def largest_side(game: Record) -> int:
    """Return the side of the largest maze: the bottom row is the level's, and one more stays free for the tail."""
    return min(int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT]) - 2)


@inlined
def maze_cell(game: Record, side: int, x: int, y: int) -> int:
    """Return the cell of a maze's (x, y): the maze lies in the middle of the board."""
    left, bottom = (int(game.fields[layout.WIDTH]) - side) // 2, (int(game.fields[layout.HEIGHT]) - side) // 2
    return cell_of(game, x + left, y + bottom)


@inlined
def allowed(low: int, high: int, forbidden: int, key: Any, index: int) -> int:
    """Return where a wall stands between low and high, by chance among what is not forbidden (bits); -1: nowhere."""
    count = 0
    for place in range(low + 1, high - 1):
        count += 1 - (forbidden >> place & 1)
    if count == 0:
        return -1
    chosen = draw(key, index, count)
    place = low
    while chosen >= 0:
        place += 1
        chosen -= 1 - (forbidden >> place & 1)
    return place


@compiled
def put_wall(game: Record, side: int, x: int, y: int) -> None:
    """Make a cell of the maze a wall, if it is none yet."""
    cell = maze_cell(game, side, x, y)
    if game.grid[game.fields[layout.AREA] + cell] == 0:
        add_hazard(game, cell, 1)


@compiled
def divide(
    game: Record, side: int, key: Any, left: int, bottom: int, right: int, top: int,
    no_column: int, no_row: int
) -> None:  # fmt: skip
    """Divide a room by a wall each way, with holes, and its parts again; no wall in `no_column` and `no_row` (bits)."""
    if right - left <= 2 and top - bottom <= 2:
        return
    x = allowed(left, right, no_column, key, 0)
    y = allowed(bottom, top, no_row, key, 1)
    if x < 0 and y < 0:
        return
    # Holes of the upright wall, below and above the crossing or anywhere, and of the level one; -1: none.
    below, above, across = -1, -1, -1
    if x >= 0 and y >= 0:
        below, above = bottom + draw(key, 2, y - bottom), y + 1 + draw(key, 3, top - 1 - y)
        across = left + draw(key, 4, x - left)
    elif x >= 0 and top > bottom:
        below = bottom + draw(key, 2, top - bottom)
    elif y >= 0 and right > left:
        across = left + draw(key, 4, right - left)
    for row in range(bottom, top + 1 if x >= 0 else bottom):
        if row != below and row != above:  # noqa: PLR1714 - compiled
            put_wall(game, side, x, row)
    for column in range(left, right + 1 if y >= 0 else left):
        if column != across:
            put_wall(game, side, column, y)
    no_row |= (1 << below if below >= 0 else 0) | (1 << above if above >= 0 else 0)
    no_column |= 1 << across if across >= 0 else 0
    middle, level = x if x >= 0 else right, y if y >= 0 else top
    for part in range(4):
        beyond_x, beyond_y = part & 1, part >> 1
        if (beyond_x and x < 0) or (beyond_y and y < 0):
            continue
        divide(
            game, side, mix(key + np.uint64(part + 1)),
            middle + 1 if beyond_x else left, level + 1 if beyond_y else bottom,
            right if beyond_x else middle, top if beyond_y else level, no_column, no_row,
        )  # fmt: skip


@compiled
def put_back(game: Record, side: int, level: int) -> None:
    """Put the snake, as long as the level asks, with its head in the maze's corner and all else on the cell below."""
    for cell in range(game.fields[layout.AREA]):
        if game.grid[cell] & layout.OWNER != layout.WALL:
            game.grid[cell] &= 255 - layout.OWNER
    head, tail = maze_cell(game, side, 0, 0), maze_cell(game, side, 0, -1)
    game.fields[layout.HEADER + layout.HEALTH] = layout.MAX_HEALTH
    game.fields[layout.HEADER + layout.LENGTH] = level + 3
    game.fields[layout.HEADER + layout.STACK] = level + 2
    game.fields[layout.HEADER + layout.HEAD] = head
    game.fields[layout.HEADER + layout.TAIL] = tail
    game.fields[layout.HEADER + layout.FACING] = layout.UP
    game.grid[tail] = 1 | (layout.UP << layout.DIRECTION_SHIFT)
    game.grid[head] = 1


@compiled
def place_maze_food(game: Record, side: int) -> None:
    """Put food on a random cell of the maze: no wall, no snake, some steps from the head. It may not be found."""
    stride, head = int(game.fields[layout.STRIDE]), int(game.fields[layout.HEADER + layout.HEAD])
    key = stream(game.clock[layout.SEED], game.clock[layout.TURN], FOOD_CELL)
    for attempt in range(_TRIES):
        spot = draw(key, attempt, side * side)
        cell = maze_cell(game, side, spot // side, spot % side)
        steps = abs(cell % stride - head % stride) + abs(cell // stride - head // stride)
        taken = game.grid[cell] & layout.OWNER or game.grid[game.fields[layout.AREA] + cell] > 0
        if not taken and steps >= min(SHY, side // 2):
            add_food(game, cell)
            return


@compiled
def draw_maze(game: Record, level: int) -> None:
    """Draw the maze of a level in place of all hazards, put the snake back and place its food."""
    width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
    level = min(level, (1 << width) - 1)
    side = min(FIRST_SIDE + level, largest_side(game))
    clear_hazards(game)
    game.fields[layout.SHRUNK] = -1
    key = stream(game.clock[layout.SEED], game.clock[layout.TURN], HAZARD_MAP)
    divide(game, side, key, 0, 0, side - 1, side - 1, 0, 0)
    left, bottom = (width - side) // 2, (height - side) // 2
    for x in range(width):
        if level >> (width - 1 - x) & 1:
            add_hazard(game, cell_of(game, x, 0), 1)
        for y in range(1, height):
            if not (left <= x < left + side and bottom <= y < bottom + side):
                add_hazard(game, cell_of(game, x, y), 1)
    put_back(game, side, level)
    place_maze_food(game, side)


@compiled
def set_up_maze(game: Record) -> None:
    """Begin with level 0."""
    place_snake(game, 0, 0, 0)
    draw_maze(game, 0)


@compiled
def update_maze(game: Record) -> None:
    """Draw the next level's maze where the food was eaten; after the last size, food shuns a head that comes near."""
    if game.fields[layout.ALIVE] == 0:
        return
    width, stride = int(game.fields[layout.WIDTH]), int(game.fields[layout.STRIDE])
    level = 0
    for x in range(width):
        level = 2 * level + (game.grid[game.fields[layout.AREA] + cell_of(game, x, 0)] > 0)
    if game.fields[layout.FOOD] == 0:
        draw_maze(game, level + 1)
        return
    most = largest_side(game)
    food, head = int(game.fields[game.fields[layout.FOOD_AT]]), int(game.fields[layout.HEADER + layout.HEAD])
    steps = abs(food % stride - head % stride) + abs(food // stride - head // stride)
    if level - LEVELS_AT_MOST > most - FIRST_SIDE and steps < SHY:
        remove_food(game, food)
        place_maze_food(game, min(FIRST_SIDE + level, most))
