"""What a map does to the board: set-up, then food and hazards after the rules of each turn."""

from pipeline.engine.compile_cache import compiled
from pipeline.engine.hazard_shapes import (
    drain_pool,
    draw_columns,
    draw_rings,
    expand_box,
    expand_scatter,
    fill_pits,
    grow_box,
    grow_sinkhole,
    grow_spiral,
    place_pools,
    scatter,
)
from pipeline.engine.layout import MAP, SEED, SNAKES, WIDTH, Cells, Longs, Words
from pipeline.engine.map_names import (
    ARCADE_MAZE,
    COLUMNS,
    EMPTY,
    EXPAND_BOX,
    EXPAND_SCATTER,
    FIRST_PICTURE,
    FIRST_RIVERS,
    GROW_BOX,
    HAZARD_PITS,
    HEALING_POOLS,
    INNER_WALL,
    RINGS,
    SCATTER,
    SINKHOLES,
    SNAIL_MODE,
    SOLO_MAZE,
    SPIRAL,
)
from pipeline.engine.maze import set_up_maze, update_maze
from pipeline.engine.picture_maps import set_up_picture, spawn_on_spots
from pipeline.engine.rng import STARTS, stream
from pipeline.engine.snail import leave_trails
from pipeline.engine.spawn import spawn_food
from pipeline.engine.starts import FINE, place_fixed_food, place_food, place_snake, place_snakes, shuffled


@compiled
def set_up_pits(words: Words, cells: Cells, longs: Longs, game: int) -> int:
    """Hazard pits: the four inner corners shuffled, the standard map's food."""
    order = shuffled(4, stream(longs[game, SEED], 0, STARTS), 0)
    for snake in range(words[game, SNAKES]):
        point = (order >> (4 * snake)) & 15
        place_snake(words, cells, game, snake, 9 if point & 1 else 1, 9 if point & 2 else 1)
    return place_fixed_food(words, cells, longs, game, False)


@compiled
def draw_still_hazards(words: Words, cells: Cells, longs: Longs, game: int) -> None:
    """Put down the hazards that a map begins with."""
    this_map = words[game, MAP]
    if this_map == INNER_WALL:
        draw_rings(words, cells, game, 1)
    elif this_map == RINGS:
        draw_rings(words, cells, game, int(words[game, WIDTH]) // 2 - 2)
    elif this_map == COLUMNS:
        draw_columns(words, cells, game, False)
    elif this_map == HEALING_POOLS:
        place_pools(words, cells, longs, game)


@compiled
def set_up(words: Words, cells: Cells, longs: Longs, game: int) -> int:
    """Place snakes, food and hazards on a blank board; return FINE or why that is impossible."""
    this_map = words[game, MAP]
    if this_map == SOLO_MAZE:
        set_up_maze(words, cells, longs, game)
        return FINE
    if this_map >= FIRST_PICTURE:
        return set_up_picture(words, cells, longs, game)
    if this_map == HAZARD_PITS:
        return set_up_pits(words, cells, longs, game)
    problem = place_snakes(words, cells, longs, game)
    if problem == FINE and this_map != EMPTY:
        problem = place_food(words, cells, longs, game)
    draw_still_hazards(words, cells, longs, game)
    return problem


@compiled
def change_hazards(words: Words, cells: Cells, longs: Longs, game: int) -> None:
    """Play the hazards of the maps that change them."""
    this_map = words[game, MAP]
    if this_map == SPIRAL:
        grow_spiral(words, cells, longs, game)
    elif this_map == SCATTER:
        scatter(words, cells, longs, game)
    elif this_map == GROW_BOX:
        grow_box(words, cells, longs, game)
    elif this_map == EXPAND_BOX:
        expand_box(words, cells, longs, game)
    elif this_map == EXPAND_SCATTER:
        expand_scatter(words, cells, longs, game)
    elif this_map == HAZARD_PITS:
        fill_pits(words, cells, longs, game)
    elif this_map == HEALING_POOLS:
        drain_pool(words, cells, longs, game)
    elif this_map == SINKHOLES:
        grow_sinkhole(words, cells, longs, game)
    elif this_map == SNAIL_MODE:
        leave_trails(words, cells, game)


@compiled
def update(words: Words, cells: Cells, longs: Longs, corpses: Words, game: int, dice: int) -> None:
    """Play the part of a map beyond the plain ones; it sees the board after the rules, the turn number not yet raised.

    `dice`: the turn's `food_dice`.
    """
    this_map = words[game, MAP]
    if this_map == SOLO_MAZE:
        update_maze(words, cells, longs, game)
        return
    if this_map >= FIRST_PICTURE and (this_map < FIRST_RIVERS or this_map == ARCADE_MAZE):
        spawn_on_spots(words, cells, longs, corpses, game)
        return
    spawn_food(words, cells, longs, game, this_map < FIRST_PICTURE, dice)
    if this_map < FIRST_PICTURE:
        change_hazards(words, cells, longs, game)
