"""What a map does to the board: set-up, then food and hazards after the rules of each turn.

snail_mode: snakes leave trails of hazards, as many as they are long, fading by one a turn. Royale's hazards, which the
ruleset's stage and the map share, close in: the complement of a rectangle. Other shapes stand in `hazard_shapes.py`,
fixed pictures in `picture_maps.py`, the solo maze in `maze.py`.
"""

from pipeline.engine import hazard_shapes, layout, map_names
from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_hazard, cell_of, clear_hazards
from pipeline.engine.layout import HEIGHT, MAP, SEED, SHRINK, SHRUNK, SNAKES, TURN, WIDTH, Record
from pipeline.engine.maze import set_up_maze, update_maze
from pipeline.engine.picture_maps import set_up_picture, spawn_on_spots
from pipeline.engine.rng import HAZARD_MAP, STARTS, draw, stream
from pipeline.engine.spawn import spawn_food
from pipeline.engine.starts import FINE, place_fixed_food, place_food, place_snake, place_snakes, shuffled


@compiled
def fade(game: Record) -> None:
    """Take one hazard off every stack on the board, and all that stand for pending trails off its upper border."""
    area, stride = int(game.fields[layout.AREA]), int(game.fields[layout.STRIDE])
    left = 0
    for cell in range(area):
        at = area + cell
        if game.grid[at] > 0:
            game.grid[at] = 0 if cell >= area - stride else game.grid[at] - 1
            left += game.grid[at] > 0
    game.fields[layout.HAZARDS] = left


@compiled
def under_living_head(game: Record, cell: int) -> bool:
    """Return whether a living snake's head is on the cell."""
    for at in range(
        layout.HEADER, layout.HEADER + game.fields[layout.SNAKES] * layout.SNAKE_FIELDS, layout.SNAKE_FIELDS
    ):
        if game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE and game.fields[at + layout.HEAD] == cell:
            return True
    return False


@compiled
def leave_trails(game: Record) -> None:
    """Fade the trails, bring last turn's pending ones on the board, and note this turn's tails as pending.

    A pending trail stands one board height above its cell; one of the bottom row therefore lies just outside the
    board and hurts a head that leaves through the top.
    """
    if game.fields[layout.HAZARDS] > 0:
        fade(game)
    game.fields[layout.SHRUNK] = -1
    snakes_end = layout.HEADER + game.fields[layout.SNAKES] * layout.SNAKE_FIELDS
    for at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        cell = int(game.fields[at + layout.PENDING])
        if game.fields[at + layout.PENDING_COUNT] > 0 and not under_living_head(game, cell):
            add_hazard(game, cell, game.fields[at + layout.PENDING_COUNT])
        game.fields[at + layout.PENDING] = 0
        game.fields[at + layout.PENDING_COUNT] = 0
    stride = int(game.fields[layout.STRIDE])
    for at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        if game.fields[at + layout.CAUSE] != layout.ALIVE_CAUSE or game.fields[at + layout.STACK] != 1:
            continue
        cell = int(game.fields[at + layout.TAIL])
        game.fields[at + layout.PENDING] = cell
        game.fields[at + layout.PENDING_COUNT] = min(game.fields[at + layout.LENGTH], 255)
        if cell < 2 * stride:
            above = cell + game.fields[layout.HEIGHT] * stride
            add_hazard(game, above, game.fields[at + layout.PENDING_COUNT])


@compiled
def fill_outside(game: Record, left: int, right: int, bottom: int, top: int) -> None:
    """Put one hazard on every cell outside left..right x bottom..top."""
    for x in range(game.fields[WIDTH]):
        for y in range(game.fields[HEIGHT]):
            if x < left or x > right or y < bottom or y > top:
                add_hazard(game, cell_of(game, x, y), 1)


@compiled
def shrink_royale(game: Record, clear_early: bool) -> None:
    """Redraw the hazards for the turn being played: (turn + 1) // SHRINK rows and columns cut, the same each turn.

    `clear_early`: also empty the hazards before the first cut, as the ruleset does and the map does not.
    """
    every = game.clock[SHRINK]
    cuts = (game.clock[TURN] + 1) // every if every > 0 else 0
    # Cutting more often than there are rows and columns changes nothing: from then on the board is full.
    cuts = min(cuts, 32000)
    if cuts == game.fields[SHRUNK] or (cuts == 0 and not clear_early):
        return
    clear_hazards(game)
    game.fields[SHRUNK] = cuts
    left, right = 0, int(game.fields[WIDTH]) - 1
    bottom, top = 0, int(game.fields[HEIGHT]) - 1
    key = stream(game.clock[SEED], 0, HAZARD_MAP)
    for index in range(cuts):
        side = draw(key, index, 4)
        if side == 0:
            left += 1
        elif side == 1:
            right -= 1
        elif side == 2:
            bottom += 1
        else:
            top -= 1
    fill_outside(game, left, right, bottom, top)


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
