"""Maps with a fixed picture: castle walls, rivers and islands, the maze. Starts, hazards, and food on their spots."""

from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_food, add_hazard, cell_of
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    FOOD,
    FOOD_BIT,
    FOOD_CHANCE,
    HEAD,
    HEADER,
    HEIGHT,
    LENGTH,
    MAP,
    MINIMUM_FOOD,
    OWNER,
    SEED,
    SNAKE_WORDS,
    SNAKES,
    STACK,
    STRIDE,
    TURN,
    WIDTH,
    Cells,
    Longs,
    Words,
)
from pipeline.engine.map_names import ARCADE_MAZE, CASTLE_XL, FIRST_PICTURE, FIRST_RIVERS
from pipeline.engine.map_pictures import FIXED_HAZARDS, FOOD_COUNTS, FOOD_SPOTS, START_COUNTS, STARTS_AT
from pipeline.engine.rng import FOOD_CELL, FOOD_DICE, STARTS, draw, stream
from pipeline.engine.spawn import beside_living_head
from pipeline.engine.starts import FINE, place_fixed_food, place_snake, shuffled


@compiled
def place_in_quadrants(words: Words, cells: Cells, longs: Longs, game: int) -> None:
    """Rivers and islands: round the four quadrants from a random one, a random unused point of each."""
    picture = words[game, MAP] - FIRST_PICTURE
    key = stream(longs[game, SEED], 0, STARTS)
    first = draw(key, 0, 4)
    for snake in range(words[game, SNAKES]):
        quadrant = (first + snake) % 4
        order = shuffled(START_COUNTS[picture, quadrant], key, 10 + 20 * quadrant)
        point = (order >> (4 * (snake // 4))) & 15
        at = STARTS_AT[picture, quadrant, point]
        place_snake(words, cells, game, snake, at[0], at[1])


@compiled
def place_in_groups(words: Words, cells: Cells, longs: Longs, game: int) -> None:
    """Castle walls: all points of as many groups as are needed (4, 8, 12 points), shuffled together."""
    picture = words[game, MAP] - FIRST_PICTURE
    snakes = int(words[game, SNAKES])
    points = 4 if snakes < 5 else (8 if snakes < 9 else 12)
    order = shuffled(points, stream(longs[game, SEED], 0, STARTS), 0)
    for snake in range(snakes):
        point = (order >> (4 * snake)) & 15
        at = STARTS_AT[picture, point // 4, point % 4]
        place_snake(words, cells, game, snake, at[0], at[1])


@compiled
def place_in_maze(words: Words, cells: Cells, longs: Longs, game: int) -> None:
    """The maze: four shuffled points first, then the two in the middle; one food if there must be any."""
    picture = words[game, MAP] - FIRST_PICTURE
    order = shuffled(4, stream(longs[game, SEED], 0, STARTS), 0)
    for snake in range(words[game, SNAKES]):
        group, point = (0, (order >> (4 * snake)) & 15) if snake < 4 else (snake - 3, 0)
        at = STARTS_AT[picture, group, point]
        place_snake(words, cells, game, snake, at[0], at[1])
    if words[game, MINIMUM_FOOD] > 0:
        add_food(words, cells, game, cell_of(words, game, 9, 11))


@compiled
def draw_picture(words: Words, cells: Cells, game: int) -> None:
    """Put down the picture's hazards."""
    picture = words[game, MAP] - FIRST_PICTURE
    for x in range(words[game, WIDTH]):
        for y in range(words[game, HEIGHT]):
            count = FIXED_HAZARDS[picture, x, y]
            if count > 0:
                add_hazard(words, cells, game, cell_of(words, game, x, y), count)


@compiled
def set_up_picture(words: Words, cells: Cells, longs: Longs, game: int) -> int:
    """Set up one of these maps; return FINE or NO_ROOM_FOR_FOOD."""
    this_map = words[game, MAP]
    if this_map == ARCADE_MAZE:
        place_in_maze(words, cells, longs, game)
    elif this_map < FIRST_RIVERS:
        place_in_groups(words, cells, longs, game)
    else:
        place_in_quadrants(words, cells, longs, game)
    draw_picture(words, cells, game)
    if FIRST_RIVERS <= this_map < ARCADE_MAZE:
        return place_fixed_food(words, cells, longs, game, True)
    return FINE


@compiled
def near_corpse(words: Words, corpses: Words, game: int, cell: int, beside_heads: bool) -> bool:
    """Return whether a kept corpse lies on `cell` or, if asked, a dead head beside it: these maps mind the dead."""
    if corpses.shape[0] == 0:
        return False
    for snake in range(words[game, SNAKES]):
        at = HEADER + snake * SNAKE_WORDS
        if words[game, at + CAUSE] == ALIVE_CAUSE or words[game, at + HEAD] == 0:
            continue  # HEAD 0: dead when the game was loaded, its body is not kept here
        for index in range(words[game, at + LENGTH] - words[game, at + STACK] + 1):
            if corpses[game, snake, index] == cell:
                return True
        distance = abs(words[game, at + HEAD] - cell)
        if beside_heads and (distance == 1 or distance == words[game, STRIDE]):
            return True
    return False


@compiled
def beside_food(words: Words, cells: Cells, game: int, cell: int) -> bool:
    """Return whether one of the four neighbours of a cell inside the board holds food."""
    stride = words[game, STRIDE]
    return bool(
        (cells[game, cell - 1] | cells[game, cell + 1] | cells[game, cell - stride] | cells[game, cell + stride])
        & FOOD_BIT
    )


@compiled
def spot_is_free(words: Words, cells: Cells, corpses: Words, game: int, cell: int, castle: bool) -> bool:
    """Return whether food may appear on a spot; castles also keep it away from heads and other food."""
    if cells[game, cell] & (OWNER | FOOD_BIT) or near_corpse(words, corpses, game, cell, castle):
        return False
    return not castle or not (beside_living_head(words, game, cell) or beside_food(words, cells, game, cell))


@compiled
def spawn_on_spots(words: Words, cells: Cells, longs: Longs, corpses: Words, game: int) -> None:
    """Put one food on a random free spot of the picture, if one is due.

    Castle walls: none in the first 10 turns, then one each turn up to 2 (extra large: 4) on the board. The maze: with
    probability (chance + 1) %, and none where the chance is 0.
    """
    castle = words[game, MAP] != ARCADE_MAZE
    seed, turn = longs[game, SEED], longs[game, TURN]
    if castle:
        if turn < 10 or words[game, FOOD] == (4 if words[game, MAP] == CASTLE_XL else 2):
            return
    elif words[game, FOOD_CHANCE] == 0 or draw(stream(seed, turn, FOOD_DICE), 0, 100) > words[game, FOOD_CHANCE]:
        return
    picture = words[game, MAP] - FIRST_PICTURE
    free = 0
    for spot in range(FOOD_COUNTS[picture, 0]):
        cell = cell_of(words, game, FOOD_SPOTS[picture, 0, spot, 0], FOOD_SPOTS[picture, 0, spot, 1])
        free += spot_is_free(words, cells, corpses, game, cell, castle)
    if free == 0:
        return
    chosen = draw(stream(seed, turn, FOOD_CELL), 0, free)
    for spot in range(FOOD_COUNTS[picture, 0]):
        cell = cell_of(words, game, FOOD_SPOTS[picture, 0, spot, 0], FOOD_SPOTS[picture, 0, spot, 1])
        if spot_is_free(words, cells, corpses, game, cell, castle):
            if chosen == 0:
                add_food(words, cells, game, cell)
                return
            chosen -= 1
