"""Food that appears during play: whether, and where."""

from typing import Any

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import add_food, cell_of
from pipeline.engine.layout import Record
from pipeline.engine.rng import FOOD_CELL, FOOD_DICE, draw, neighbour_stream, stream

_TRIES = 24


@compiled
def beside_living_head(game: Record, cell: int) -> bool:
    """Return whether `cell` is one of the four neighbours (never across the edge) of a living head."""
    stride = int(game.fields[layout.STRIDE])
    for snake_at in range(
        layout.HEADER, layout.HEADER + game.fields[layout.SNAKES] * layout.SNAKE_FIELDS, layout.SNAKE_FIELDS
    ):
        if game.fields[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE:
            distance = abs(int(game.fields[snake_at + layout.HEAD]) - cell)
            if distance == 1 or distance == stride:  # noqa: PLR1714 - compiled; cells on the board: the border keeps row ends apart
                return True
    return False


@compiled
def may_hold_food(game: Record, cell: int, beside_heads: bool, on_hazards: bool) -> bool:
    """Return whether food may appear on `cell`: no food, no living body, and as the two flags allow."""
    if game.grid[cell] & (layout.OWNER | layout.FOOD_BIT):
        return False
    if not on_hazards and game.grid[game.fields[layout.AREA] + cell] > 0:
        return False
    return beside_heads or not beside_living_head(game, cell)


@compiled
def random_food_cell(game: Record, key: int, index: int, beside_heads: bool, on_hazards: bool) -> int:
    """Return a uniform cell on which food may appear, or -1 where there is none.

    Draws cells until one fits, and on a crowded board chooses among a full count: both are uniform.
    """
    width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
    at = index * (_TRIES + 1)
    for attempt in range(_TRIES):
        spot = draw(key, at + attempt, width * height)
        column = spot // height
        cell = cell_of(game, column, spot - column * height)
        if may_hold_food(game, cell, beside_heads, on_hazards):
            return cell
    free = 0
    for spot in range(width * height):
        cell = cell_of(game, spot // height, spot % height)
        free += may_hold_food(game, cell, beside_heads, on_hazards)
    if free == 0:
        return -1
    chosen = draw(key, at + _TRIES, free)
    spot = -1
    while chosen >= 0:
        spot += 1
        cell = cell_of(game, spot // height, spot % height)
        chosen -= may_hold_food(game, cell, beside_heads, on_hazards)
    return cell_of(game, spot // height, spot % height)


@inlined
def food_dice(key: Any) -> int:
    """Return the turn's dice for food, 0..99; `key` from `turn_key`."""
    return draw(neighbour_stream(key, FOOD_DICE), 0, 100)


@inlined
def food_needed(game: Record, dice: int) -> int:
    """Return how many food are to appear: up to the minimum without dice, else one by the dice.

    A chance of c means (c - 1) %, as in the official engine.
    """
    lacking = int(game.fields[layout.MINIMUM_FOOD]) - int(game.fields[layout.FOOD])
    if lacking > 0:
        return lacking
    chance = int(game.fields[layout.FOOD_CHANCE])
    return int(chance > 1 and 100 - dice < chance)


@compiled
def place_spawned(game: Record, needed: int, on_hazards: bool) -> None:
    """Put down `needed` food on random cells, fewer where they run out."""
    key = stream(game.clock[layout.SEED], game.clock[layout.TURN], FOOD_CELL)
    for index in range(needed):
        cell = random_food_cell(game, key, index, False, on_hazards)
        if cell < 0:
            return
        add_food(game, cell)


@inlined
def spawn_food(game: Record, on_hazards: bool, dice: int) -> None:
    """Play the standard map's food after the rules of a turn; `dice` from `food_dice`."""
    needed = food_needed(game, dice)
    if needed > 0:
        place_spawned(game, needed, on_hazards)
