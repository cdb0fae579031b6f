"""Whether rows of records that come from outside, such as a resumed run's, are such as the rules leave behind."""

from typing import Final

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import direction_at, neighbour
from pipeline.engine.layout import Record

BAD_SHAPE: Final = 1
BAD_GRID: Final = 2
BAD_FOOD: Final = 3
BAD_SNAKE: Final = 4
BAD_TURN: Final = 5
PROBLEMS: Final[dict[int, str]] = {
    BAD_SHAPE: "header",
    BAD_GRID: "grid",
    BAD_FOOD: "food",
    BAD_SNAKE: "snakes",
    BAD_TURN: "turn",
}
_CAUSES: Final = len(layout.CAUSE_WORDS)


@compiled
def grid_fits(game: Record) -> bool:
    """Return whether walls stand exactly on the border, and all owners and hazards are known to the header."""
    width, height, stride = (
        int(game.fields[layout.WIDTH]),
        int(game.fields[layout.HEIGHT]),
        int(game.fields[layout.STRIDE]),
    )
    hazards = 0
    for cell in range(game.fields[layout.AREA]):
        x, y = cell % stride, cell // stride
        owner = int(game.grid[cell] & layout.OWNER)
        inside = 1 <= x <= width and 1 <= y <= height
        if (not inside and game.grid[cell] != layout.WALL) or (inside and owner > game.fields[layout.SNAKES]):
            return False
        hazards += game.grid[game.fields[layout.AREA] + cell] > 0
    return bool(hazards == game.fields[layout.HAZARDS])


@compiled
def food_fits(game: Record) -> bool:
    """Return whether the list of food and the grid's food are the same cells."""
    marked = 0
    for cell in range(game.fields[layout.AREA]):
        marked += game.grid[cell] & layout.FOOD_BIT > 0
    if game.fields[layout.FOOD] != marked:
        return False
    for index in range(game.fields[layout.FOOD_AT], game.fields[layout.FOOD_AT] + marked):
        cell = int(game.fields[index])
        if not 0 <= cell < game.fields[layout.AREA] or not game.grid[cell] & layout.FOOD_BIT:
            return False
        for before in range(game.fields[layout.FOOD_AT], index):
            if game.fields[before] == cell:
                return False
    return True


@compiled
def body_fits(game: Record, snake: int) -> bool:
    """Return whether a living snake's body leads from its tail over its own cells to its head."""
    at = layout.HEADER + snake * layout.SNAKE_FIELDS
    area, cell = int(game.fields[layout.AREA]), int(game.fields[at + layout.TAIL])
    steps = game.fields[at + layout.LENGTH] - game.fields[at + layout.STACK]
    if not (0 <= cell < area and game.fields[at + layout.STACK] >= 1 and 0 <= steps < area):
        return False
    for _ in range(steps):
        if game.grid[cell] & layout.OWNER != snake + 1:
            return False
        cell = neighbour(game, cell, direction_at(game, cell))
    return bool(cell == game.fields[at + layout.HEAD] and game.grid[cell] & layout.OWNER == snake + 1)


@compiled
def snakes_fit(game: Record) -> bool:
    """Return whether every snake's fields are such as the rules leave, and the living have their bodies."""
    alive = 0
    for snake in range(game.fields[layout.SNAKES]):
        at = layout.HEADER + snake * layout.SNAKE_FIELDS
        ranges = (
            0 <= game.fields[at + layout.CAUSE] < _CAUSES
            and -1 <= game.fields[at + layout.KILLER] < game.fields[layout.SNAKES]
            and game.fields[at + layout.HEALTH] <= layout.MAX_HEALTH
            and 0 <= game.fields[at + layout.FACING] <= layout.NO_DIRECTION
            and 0 <= game.fields[at + layout.HEAD] < game.fields[layout.AREA]
            and 0 <= game.fields[at + layout.PENDING] < game.fields[layout.AREA]
        )
        if not ranges:
            return False
        if game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE:
            alive += 1
            if not body_fits(game, snake):
                return False
    return bool(alive == game.fields[layout.ALIVE])


@compiled
def row_problem(game: Record) -> int:
    """Return what the rules could not have left in this row (a key of PROBLEMS), or 0.

    WIDTH, HEIGHT and SNAKES are taken for granted: the caller has compared them with what the row may hold.
    """
    stride = game.fields[layout.WIDTH] + 2
    area = stride * (game.fields[layout.HEIGHT] + 2)
    first_food = layout.HEADER + layout.SNAKE_FIELDS * game.fields[layout.SNAKES]
    if (
        game.fields[layout.STRIDE] != stride
        or game.fields[layout.AREA] != area
        or game.fields[layout.FOOD_AT] != first_food
    ):
        return BAD_SHAPE
    if game.clock[layout.TURN] < 0:
        return BAD_TURN
    if not grid_fits(game):
        return BAD_GRID
    if not food_fits(game):
        return BAD_FOOD
    return 0 if snakes_fit(game) else BAD_SNAKE
