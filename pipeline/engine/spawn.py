"""Food that appears during play: whether, and where."""

from typing import Any

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import add_food, cell_of
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    AREA,
    CAUSE,
    FOOD,
    FOOD_BIT,
    FOOD_CHANCE,
    HEAD,
    HEADER,
    HEIGHT,
    MINIMUM_FOOD,
    OWNER,
    SEED,
    SNAKE_WORDS,
    SNAKES,
    STRIDE,
    TURN,
    WIDTH,
    Cells,
    Longs,
    Words,
)
from pipeline.engine.rng import FOOD_CELL, FOOD_DICE, draw, neighbour_stream, stream

_TRIES = 24


@compiled
def beside_living_head(words: Words, game: int, cell: int) -> bool:
    """Return whether `cell` is one of the four neighbours (never across the edge) of a living head."""
    stride = int(words[game, STRIDE])
    for snake_at in range(HEADER, HEADER + words[game, SNAKES] * SNAKE_WORDS, SNAKE_WORDS):
        if words[game, snake_at + CAUSE] == ALIVE_CAUSE:
            distance = abs(int(words[game, snake_at + HEAD]) - cell)
            if distance == 1 or distance == stride:  # noqa: PLR1714 - compiled; cells on the board: the border keeps row ends apart
                return True
    return False


@compiled
def may_hold_food(words: Words, cells: Cells, game: int, cell: int, beside_heads: bool, on_hazards: bool) -> bool:
    """Return whether food may appear on `cell`: no food, no living body, and as the two flags allow."""
    if cells[game, cell] & (OWNER | FOOD_BIT):
        return False
    if not on_hazards and cells[game, words[game, AREA] + cell] > 0:
        return False
    return beside_heads or not beside_living_head(words, game, cell)


@compiled
def random_food_cell(
    words: Words, cells: Cells, game: int, key: int, index: int, beside_heads: bool, on_hazards: bool
) -> int:
    """Return a uniform cell on which food may appear, or -1 where there is none.

    Draws cells until one fits, and on a crowded board chooses among a full count: both are uniform.
    """
    width, height = int(words[game, WIDTH]), int(words[game, HEIGHT])
    at = index * (_TRIES + 1)
    for attempt in range(_TRIES):
        spot = draw(key, at + attempt, width * height)
        column = spot // height
        cell = cell_of(words, game, column, spot - column * height)
        if may_hold_food(words, cells, game, cell, beside_heads, on_hazards):
            return cell
    free = 0
    for spot in range(width * height):
        cell = cell_of(words, game, spot // height, spot % height)
        free += may_hold_food(words, cells, game, cell, beside_heads, on_hazards)
    if free == 0:
        return -1
    chosen = draw(key, at + _TRIES, free)
    spot = -1
    while chosen >= 0:
        spot += 1
        cell = cell_of(words, game, spot // height, spot % height)
        chosen -= may_hold_food(words, cells, game, cell, beside_heads, on_hazards)
    return cell_of(words, game, spot // height, spot % height)


@inlined
def food_dice(key: Any) -> int:
    """Return the turn's dice for food, 0..99; `key` from `turn_key`."""
    return draw(neighbour_stream(key, FOOD_DICE), 0, 100)


@inlined
def food_needed(words: Words, game: int, dice: int) -> int:
    """Return how many food are to appear: up to the minimum without dice, else one by the dice.

    A chance of c means (c - 1) %, as in the official engine.
    """
    lacking = int(words[game, MINIMUM_FOOD]) - int(words[game, FOOD])
    if lacking > 0:
        return lacking
    chance = int(words[game, FOOD_CHANCE])
    return int(chance > 1 and 100 - dice < chance)


@compiled
def place_spawned(words: Words, cells: Cells, longs: Longs, game: int, needed: int, on_hazards: bool) -> None:
    """Put down `needed` food on random cells, fewer where they run out."""
    key = stream(longs[game, SEED], longs[game, TURN], FOOD_CELL)
    for index in range(needed):
        cell = random_food_cell(words, cells, game, key, index, False, on_hazards)
        if cell < 0:
            return
        add_food(words, cells, game, cell)


@inlined
def spawn_food(words: Words, cells: Cells, longs: Longs, game: int, on_hazards: bool, dice: int) -> None:
    """Play the standard map's food after the rules of a turn; `dice` from `food_dice`."""
    needed = food_needed(words, game, dice)
    if needed > 0:
        place_spawned(words, cells, longs, game, needed, on_hazards)
