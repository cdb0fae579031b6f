"""Maps with a fixed picture: castle walls, rivers and islands, the maze. Starts, hazards, and food on their spots."""

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_food, add_hazard, cell_of
from pipeline.engine.layout import Record
from pipeline.engine.map_names import ARCADE_MAZE, CASTLE_XL, FIRST_PICTURE, FIRST_RIVERS
from pipeline.engine.map_pictures import FIXED_HAZARDS, FOOD_COUNTS, FOOD_SPOTS, START_COUNTS, STARTS_AT
from pipeline.engine.rng import FOOD_CELL, FOOD_DICE, STARTS, draw, stream
from pipeline.engine.spawn import beside_living_head
from pipeline.engine.starts import FINE, place_fixed_food, place_snake, shuffled


@compiled
def place_in_quadrants(game: Record) -> None:
    """Rivers and islands: round the four quadrants from a random one, a random unused point of each."""
    picture = game.fields[layout.MAP] - FIRST_PICTURE
    key = stream(game.clock[layout.SEED], 0, STARTS)
    first = draw(key, 0, 4)
    for snake in range(game.fields[layout.SNAKES]):
        quadrant = (first + snake) % 4
        order = shuffled(START_COUNTS[picture, quadrant], key, 10 + 20 * quadrant)
        point = (order >> (4 * (snake // 4))) & 15
        at = STARTS_AT[picture, quadrant, point]
        place_snake(game, snake, at[0], at[1])


@compiled
def place_in_groups(game: Record) -> None:
    """Castle walls: all points of as many groups as are needed (4, 8, 12 points), shuffled together."""
    picture = game.fields[layout.MAP] - FIRST_PICTURE
    snakes = int(game.fields[layout.SNAKES])
    points = 4 if snakes < 5 else (8 if snakes < 9 else 12)
    order = shuffled(points, stream(game.clock[layout.SEED], 0, STARTS), 0)
    for snake in range(snakes):
        point = (order >> (4 * snake)) & 15
        at = STARTS_AT[picture, point // 4, point % 4]
        place_snake(game, snake, at[0], at[1])


@compiled
def place_in_maze(game: Record) -> None:
    """The maze: four shuffled points first, then the two in the middle; one food if there must be any."""
    picture = game.fields[layout.MAP] - FIRST_PICTURE
    order = shuffled(4, stream(game.clock[layout.SEED], 0, STARTS), 0)
    for snake in range(game.fields[layout.SNAKES]):
        group, point = (0, (order >> (4 * snake)) & 15) if snake < 4 else (snake - 3, 0)
        at = STARTS_AT[picture, group, point]
        place_snake(game, snake, at[0], at[1])
    if game.fields[layout.MINIMUM_FOOD] > 0:
        add_food(game, cell_of(game, 9, 11))


@compiled
def draw_picture(game: Record) -> None:
    """Put down the picture's hazards."""
    picture = game.fields[layout.MAP] - FIRST_PICTURE
    for x in range(game.fields[layout.WIDTH]):
        for y in range(game.fields[layout.HEIGHT]):
            count = FIXED_HAZARDS[picture, x, y]
            if count > 0:
                add_hazard(game, cell_of(game, x, y), count)


@compiled
def set_up_picture(game: Record) -> int:
    """Set up one of these maps; return FINE or NO_ROOM_FOR_FOOD."""
    this_map = game.fields[layout.MAP]
    if this_map == ARCADE_MAZE:
        place_in_maze(game)
    elif this_map < FIRST_RIVERS:
        place_in_groups(game)
    else:
        place_in_quadrants(game)
    draw_picture(game)
    if FIRST_RIVERS <= this_map < ARCADE_MAZE:
        return place_fixed_food(game, True)
    return FINE


@compiled
def near_corpse(game: Record, cell: int, beside_heads: bool) -> bool:
    """Return whether a kept corpse lies on `cell` or, if asked, a dead head beside it: these maps mind the dead."""
    if game.corpses.shape[0] == 0:
        return False
    for snake in range(game.fields[layout.SNAKES]):
        at = layout.HEADER + snake * layout.SNAKE_FIELDS
        if game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE or game.fields[at + layout.HEAD] == 0:
            continue  # HEAD 0: dead when the game was loaded, its body is not kept here
        for index in range(game.fields[at + layout.LENGTH] - game.fields[at + layout.STACK] + 1):
            if game.corpses[snake, index] == cell:
                return True
        distance = abs(game.fields[at + layout.HEAD] - cell)
        if beside_heads and (distance == 1 or distance == game.fields[layout.STRIDE]):
            return True
    return False


@compiled
def beside_food(game: Record, cell: int) -> bool:
    """Return whether one of the four neighbours of a cell inside the board holds food."""
    stride = game.fields[layout.STRIDE]
    return bool(
        (game.grid[cell - 1] | game.grid[cell + 1] | game.grid[cell - stride] | game.grid[cell + stride])
        & layout.FOOD_BIT
    )


@compiled
def spot_is_free(game: Record, cell: int, castle: bool) -> bool:
    """Return whether food may appear on a spot; castles also keep it away from heads and other food."""
    if game.grid[cell] & (layout.OWNER | layout.FOOD_BIT) or near_corpse(game, cell, castle):
        return False
    return not castle or not (beside_living_head(game, cell) or beside_food(game, cell))


@compiled
def spawn_on_spots(game: Record) -> None:
    """Put one food on a random free spot of the picture, if one is due.

    Castle walls: none in the first 10 turns, then one each turn up to 2 (extra large: 4) on the board. The maze: with
    probability (chance + 1) %, and none where the chance is 0.
    """
    castle = game.fields[layout.MAP] != ARCADE_MAZE
    seed, turn = game.clock[layout.SEED], game.clock[layout.TURN]
    if castle:
        if turn < 10 or game.fields[layout.FOOD] == (4 if game.fields[layout.MAP] == CASTLE_XL else 2):
            return
    elif (
        game.fields[layout.FOOD_CHANCE] == 0
        or draw(stream(seed, turn, FOOD_DICE), 0, 100) > game.fields[layout.FOOD_CHANCE]
    ):
        return
    picture = game.fields[layout.MAP] - FIRST_PICTURE
    free = 0
    for spot in range(FOOD_COUNTS[picture, 0]):
        cell = cell_of(game, FOOD_SPOTS[picture, 0, spot, 0], FOOD_SPOTS[picture, 0, spot, 1])
        free += spot_is_free(game, cell, castle)
    if free == 0:
        return
    chosen = draw(stream(seed, turn, FOOD_CELL), 0, free)
    for spot in range(FOOD_COUNTS[picture, 0]):
        cell = cell_of(game, FOOD_SPOTS[picture, 0, spot, 0], FOOD_SPOTS[picture, 0, spot, 1])
        if spot_is_free(game, cell, castle):
            if chosen == 0:
                add_food(game, cell)
                return
            chosen -= 1
