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
    BAD_GRID: "cells",
    BAD_FOOD: "food",
    BAD_SNAKE: "snakes",
    BAD_TURN: "turn",
}
_CAUSES: Final = len(layout.CAUSE_WORDS)


@compiled
def grid_fits(game: Record) -> bool:
    """Return whether walls stand exactly on the border, and all owners and hazards are known to the header."""
    width, height, stride = (
        int(game.words[layout.WIDTH]),
        int(game.words[layout.HEIGHT]),
        int(game.words[layout.STRIDE]),
    )
    hazards = 0
    for cell in range(game.words[layout.AREA]):
        x, y = cell % stride, cell // stride
        owner = int(game.cells[cell] & layout.OWNER)
        inside = 1 <= x <= width and 1 <= y <= height
        if (not inside and game.cells[cell] != layout.WALL) or (inside and owner > game.words[layout.SNAKES]):
            return False
        hazards += game.cells[game.words[layout.AREA] + cell] > 0
    return bool(hazards == game.words[layout.HAZARDS])


@compiled
def food_fits(game: Record) -> bool:
    """Return whether the list of food and the grid's food are the same cells."""
    marked = 0
    for cell in range(game.words[layout.AREA]):
        marked += game.cells[cell] & layout.FOOD_BIT > 0
    if game.words[layout.FOOD] != marked:
        return False
    for index in range(game.words[layout.FOOD_AT], game.words[layout.FOOD_AT] + marked):
        cell = int(game.words[index])
        if not 0 <= cell < game.words[layout.AREA] or not game.cells[cell] & layout.FOOD_BIT:
            return False
        for before in range(game.words[layout.FOOD_AT], index):
            if game.words[before] == cell:
                return False
    return True


@compiled
def body_fits(game: Record, snake: int) -> bool:
    """Return whether a living snake's body leads from its tail over its own cells to its head."""
    at = layout.HEADER + snake * layout.SNAKE_WORDS
    area, cell = int(game.words[layout.AREA]), int(game.words[at + layout.TAIL])
    steps = game.words[at + layout.LENGTH] - game.words[at + layout.STACK]
    if not (0 <= cell < area and game.words[at + layout.STACK] >= 1 and 0 <= steps < area):
        return False
    for _ in range(steps):
        if game.cells[cell] & layout.OWNER != snake + 1:
            return False
        cell = neighbour(game, cell, direction_at(game, cell))
    return bool(cell == game.words[at + layout.HEAD] and game.cells[cell] & layout.OWNER == snake + 1)


@compiled
def snakes_fit(game: Record) -> bool:
    """Return whether every snake's words are such as the rules leave, and the living have their bodies."""
    alive = 0
    for snake in range(game.words[layout.SNAKES]):
        at = layout.HEADER + snake * layout.SNAKE_WORDS
        ranges = (
            0 <= game.words[at + layout.CAUSE] < _CAUSES
            and -1 <= game.words[at + layout.KILLER] < game.words[layout.SNAKES]
            and game.words[at + layout.HEALTH] <= layout.MAX_HEALTH
            and 0 <= game.words[at + layout.FACING] <= layout.NO_DIRECTION
            and 0 <= game.words[at + layout.HEAD] < game.words[layout.AREA]
            and 0 <= game.words[at + layout.PENDING] < game.words[layout.AREA]
        )
        if not ranges:
            return False
        if game.words[at + layout.CAUSE] == layout.ALIVE_CAUSE:
            alive += 1
            if not body_fits(game, snake):
                return False
    return bool(alive == game.words[layout.ALIVE])


@compiled
def row_problem(game: Record) -> int:
    """Return what the rules could not have left in this row (a key of PROBLEMS), or 0.

    WIDTH, HEIGHT and SNAKES are taken for granted: the caller has compared them with what the row may hold.
    """
    stride = game.words[layout.WIDTH] + 2
    area = stride * (game.words[layout.HEIGHT] + 2)
    first_food = layout.HEADER + layout.SNAKE_WORDS * game.words[layout.SNAKES]
    if (
        game.words[layout.STRIDE] != stride
        or game.words[layout.AREA] != area
        or game.words[layout.FOOD_AT] != first_food
    ):
        return BAD_SHAPE
    if game.longs[layout.TURN] < 0:
        return BAD_TURN
    if not grid_fits(game):
        return BAD_GRID
    if not food_fits(game):
        return BAD_FOOD
    return 0 if snakes_fit(game) else BAD_SNAKE
