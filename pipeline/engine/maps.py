"""What a map does to the board: set-up, then food and hazards after the rules of each turn."""

from pipeline.engine import hazard_shapes, map_names
from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import MAP, SEED, SNAKES, WIDTH, Record
from pipeline.engine.maze import set_up_maze, update_maze
from pipeline.engine.picture_maps import set_up_picture, spawn_on_spots
from pipeline.engine.rng import STARTS, stream
from pipeline.engine.snail import leave_trails
from pipeline.engine.spawn import spawn_food
from pipeline.engine.starts import FINE, place_fixed_food, place_food, place_snake, place_snakes, shuffled


@compiled
def set_up_pits(game: Record) -> int:
    """Hazard pits: the four inner corners shuffled, the standard map's food."""
    order = shuffled(4, stream(game.clock[SEED], 0, STARTS), 0)
    for snake in range(game.fields[SNAKES]):
        point = (order >> (4 * snake)) & 15
        place_snake(game, snake, 9 if point & 1 else 1, 9 if point & 2 else 1)
    return place_fixed_food(game, False)


@compiled
def draw_still_hazards(game: Record) -> None:
    """Put down the hazards that a map begins with."""
    this_map = game.fields[MAP]
    if this_map == map_names.INNER_WALL:
        hazard_shapes.draw_rings(game, 1)
    elif this_map == map_names.RINGS:
        hazard_shapes.draw_rings(game, int(game.fields[WIDTH]) // 2 - 2)
    elif this_map == map_names.COLUMNS:
        hazard_shapes.draw_columns(game, False)
    elif this_map == map_names.HEALING_POOLS:
        hazard_shapes.place_pools(game)


@compiled
def set_up(game: Record) -> int:
    """Place snakes, food and hazards on a blank board; return FINE or why that is impossible."""
    this_map = game.fields[MAP]
    if this_map == map_names.SOLO_MAZE:
        set_up_maze(game)
        return FINE
    if this_map >= map_names.FIRST_PICTURE:
        return set_up_picture(game)
    if this_map == map_names.HAZARD_PITS:
        return set_up_pits(game)
    problem = place_snakes(game)
    if problem == FINE and this_map != map_names.EMPTY:
        problem = place_food(game)
    draw_still_hazards(game)
    return problem


@compiled
def change_hazards(game: Record) -> None:
    """Play the hazards of the maps that change them."""
    this_map = game.fields[MAP]
    if this_map == map_names.SPIRAL:
        hazard_shapes.grow_spiral(game)
    elif this_map == map_names.SCATTER:
        hazard_shapes.scatter(game)
    elif this_map == map_names.GROW_BOX:
        hazard_shapes.grow_box(game)
    elif this_map == map_names.EXPAND_BOX:
        hazard_shapes.expand_box(game)
    elif this_map == map_names.EXPAND_SCATTER:
        hazard_shapes.expand_scatter(game)
    elif this_map == map_names.HAZARD_PITS:
        hazard_shapes.fill_pits(game)
    elif this_map == map_names.HEALING_POOLS:
        hazard_shapes.drain_pool(game)
    elif this_map == map_names.SINKHOLES:
        hazard_shapes.grow_sinkhole(game)
    elif this_map == map_names.SNAIL_MODE:
        leave_trails(game)


@compiled
def update(game: Record, dice: int) -> None:
    """Play the part of a map beyond the plain ones; it sees the board after the rules, the turn number not yet raised.

    `dice`: the turn's `food_dice`.
    """
    this_map = game.fields[MAP]
    if this_map == map_names.SOLO_MAZE:
        update_maze(game)
        return
    if this_map >= map_names.FIRST_PICTURE and (this_map < map_names.FIRST_RIVERS or this_map == map_names.ARCADE_MAZE):
        spawn_on_spots(game)
        return
    spawn_food(game, this_map < map_names.FIRST_PICTURE, dice)
    if this_map < map_names.FIRST_PICTURE:
        change_hazards(game)
