"""Whether rows of records that come from outside, such as a resumed run's, are such as the rules leave behind."""

from typing import Final

from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import direction_at, neighbour
from pipeline.engine.layout import (
    ALIVE,
    ALIVE_CAUSE,
    AREA,
    CAUSE,
    CAUSE_WORDS,
    FACING,
    FOOD,
    FOOD_AT,
    FOOD_BIT,
    HAZARDS,
    HEAD,
    HEADER,
    HEALTH,
    HEIGHT,
    KILLER,
    LENGTH,
    MAX_HEALTH,
    NO_DIRECTION,
    OWNER,
    PENDING,
    SNAKE_WORDS,
    SNAKES,
    STACK,
    STRIDE,
    TAIL,
    TURN,
    WALL,
    WIDTH,
    Cells,
    Longs,
    Words,
)

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
_CAUSES: Final = len(CAUSE_WORDS)


@compiled
def grid_fits(words: Words, cells: Cells, game: int) -> bool:
    """Return whether walls stand exactly on the border, and all owners and hazards are known to the header."""
    width, height, stride = int(words[game, WIDTH]), int(words[game, HEIGHT]), int(words[game, STRIDE])
    hazards = 0
    for cell in range(words[game, AREA]):
        x, y = cell % stride, cell // stride
        owner = int(cells[game, cell] & OWNER)
        inside = 1 <= x <= width and 1 <= y <= height
        if (not inside and cells[game, cell] != WALL) or (inside and owner > words[game, SNAKES]):
            return False
        hazards += cells[game, words[game, AREA] + cell] > 0
    return bool(hazards == words[game, HAZARDS])


@compiled
def food_fits(words: Words, cells: Cells, game: int) -> bool:
    """Return whether the list of food and the grid's food are the same cells."""
    marked = 0
    for cell in range(words[game, AREA]):
        marked += cells[game, cell] & FOOD_BIT > 0
    if words[game, FOOD] != marked:
        return False
    for index in range(words[game, FOOD_AT], words[game, FOOD_AT] + marked):
        cell = int(words[game, index])
        if not 0 <= cell < words[game, AREA] or not cells[game, cell] & FOOD_BIT:
            return False
        for before in range(words[game, FOOD_AT], index):
            if words[game, before] == cell:
                return False
    return True


@compiled
def body_fits(words: Words, cells: Cells, game: int, snake: int) -> bool:
    """Return whether a living snake's body leads from its tail over its own cells to its head."""
    at = HEADER + snake * SNAKE_WORDS
    area, cell = int(words[game, AREA]), int(words[game, at + TAIL])
    steps = words[game, at + LENGTH] - words[game, at + STACK]
    if not (0 <= cell < area and words[game, at + STACK] >= 1 and 0 <= steps < area):
        return False
    for _ in range(steps):
        if cells[game, cell] & OWNER != snake + 1:
            return False
        cell = neighbour(words, cells, game, cell, direction_at(cells, game, cell))
    return bool(cell == words[game, at + HEAD] and cells[game, cell] & OWNER == snake + 1)


@compiled
def snakes_fit(words: Words, cells: Cells, game: int) -> bool:
    """Return whether every snake's words are such as the rules leave, and the living have their bodies."""
    alive = 0
    for snake in range(words[game, SNAKES]):
        at = HEADER + snake * SNAKE_WORDS
        ranges = (
            0 <= words[game, at + CAUSE] < _CAUSES
            and -1 <= words[game, at + KILLER] < words[game, SNAKES]
            and words[game, at + HEALTH] <= MAX_HEALTH
            and 0 <= words[game, at + FACING] <= NO_DIRECTION
            and 0 <= words[game, at + HEAD] < words[game, AREA]
            and 0 <= words[game, at + PENDING] < words[game, AREA]
        )
        if not ranges:
            return False
        if words[game, at + CAUSE] == ALIVE_CAUSE:
            alive += 1
            if not body_fits(words, cells, game, snake):
                return False
    return bool(alive == words[game, ALIVE])


@compiled
def row_problem(words: Words, cells: Cells, longs: Longs, game: int) -> int:
    """Return what the rules could not have left in this row (a key of PROBLEMS), or 0.

    WIDTH, HEIGHT and SNAKES are taken for granted: the caller has compared them with what the row may hold.
    """
    stride = words[game, WIDTH] + 2
    area = stride * (words[game, HEIGHT] + 2)
    first_food = HEADER + SNAKE_WORDS * words[game, SNAKES]
    if words[game, STRIDE] != stride or words[game, AREA] != area or words[game, FOOD_AT] != first_food:
        return BAD_SHAPE
    if longs[game, TURN] < 0:
        return BAD_TURN
    if not grid_fits(words, cells, game):
        return BAD_GRID
    if not food_fits(words, cells, game):
        return BAD_FOOD
    return 0 if snakes_fit(words, cells, game) else BAD_SNAKE
