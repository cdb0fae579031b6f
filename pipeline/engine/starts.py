"""Placing snakes and the first food, as the standard map does it."""

from typing import Final

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import add_food, cell_of
from pipeline.engine.layout import Record
from pipeline.engine.rng import START_FOOD, STARTS, choice, choices_of, count_of, draw, stream
from pipeline.engine.spawn import may_hold_food, random_food_cell

# Why a board could not be set up.
FINE: Final = 0
NO_ROOM_FOR_SNAKE: Final = 1
NO_ROOM_FOR_FOOD: Final = 2


@compiled
def place_snake(game: Record, snake: int, x: int, y: int) -> None:
    """Put a new snake down: three copies of one cell, full health."""
    at = layout.HEADER + snake * layout.SNAKE_FIELDS
    cell = cell_of(game, x, y)
    game.fields[at + layout.HEALTH] = layout.MAX_HEALTH
    game.fields[at + layout.LENGTH] = layout.START_LENGTH
    game.fields[at + layout.STACK] = layout.START_LENGTH
    game.fields[at + layout.HEAD] = cell
    game.fields[at + layout.TAIL] = cell
    game.fields[at + layout.FACING] = layout.NO_DIRECTION
    game.fields[at + layout.KILLER] = -1
    game.fields[layout.ALIVE] += 1
    game.grid[cell] |= snake + 1


@compiled
def shuffled(count: int, key: int, first_draw: int) -> int:
    """Return a shuffle of 0..count-1 (at most 16), packed four bits each, the first in the lowest bits.

    Fisher-Yates on the nibbles of one integer, so that nothing is allocated.
    """
    order = 0
    for item in range(count):
        order |= item << (4 * item)
    for last in range(count - 1, 0, -1):
        other = draw(key, first_draw + last, last + 1)
        difference = ((order >> (4 * last)) ^ (order >> (4 * other))) & 15
        order ^= (difference << (4 * last)) | (difference << (4 * other)) if other != last else 0
    return order


@compiled
def place_on_fixed_points(game: Record, key: int) -> None:
    """Square boards from 7, up to 8 snakes: corners and cardinals, a coin deciding which group comes first."""
    side = int(game.fields[layout.WIDTH])
    low, middle, high = 1, (side - 1) // 2, side - 2
    corners_first = draw(key, 0, 2) == 0
    corners, cardinals = shuffled(4, key, 10), shuffled(4, key, 20)
    for snake in range(game.fields[layout.SNAKES]):
        # Selections, not branches: which corner it is, is a coin that the processor would have to guess.
        if (snake < 4) == corners_first:
            x, y = high if corners & 2 else low, high if corners & 1 else low
            corners >>= 4
        else:
            along = high if cardinals & 1 else low
            x, y = along if cardinals & 2 else middle, middle if cardinals & 2 else along
            cardinals >>= 4
        place_snake(game, snake, x, y)


@compiled
def place_by_quadrants(game: Record, key: int) -> None:
    """Square boards from 11, 9 to 16 snakes: round the four quadrants, a random unused point of each."""
    side = int(game.fields[layout.WIDTH])
    space = side // 2
    offset = space // 3
    first = draw(key, 0, 4)
    for snake in range(game.fields[layout.SNAKES]):
        quadrant = (first + snake) % 4
        point = (shuffled(4, key, 10 + 10 * quadrant) >> (4 * (snake // 4))) & 15
        x = space - offset if point & 1 else offset
        y = space - offset if point & 2 else offset
        if quadrant & 1:
            x = side - 1 - x
        if quadrant & 2:
            y = side - 1 - y
        place_snake(game, snake, x, y)


@compiled
def place_anywhere(game: Record, key: int) -> int:
    """Other boards: free cells with x + y even, never the centre. Returns FINE or NO_ROOM_FOR_SNAKE."""
    width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
    centre = ((width - 1) // 2) * height + (height - 1) // 2
    for snake in range(game.fields[layout.SNAKES]):
        free = 0
        for spot in range(width * height):
            x, y = spot // height, spot % height
            taken = game.grid[cell_of(game, x, y)] & (layout.OWNER | layout.FOOD_BIT)
            free += (x + y) % 2 == 0 and spot != centre and taken == 0
        if free == 0:
            return NO_ROOM_FOR_SNAKE
        chosen = draw(key, snake, free)
        spot = -1
        while chosen >= 0:
            spot += 1
            x, y = spot // height, spot % height
            taken = game.grid[cell_of(game, x, y)] & (layout.OWNER | layout.FOOD_BIT)
            chosen -= (x + y) % 2 == 0 and spot != centre and taken == 0
        place_snake(game, snake, spot // height, spot % height)
    return FINE


@compiled
def place_snakes(game: Record) -> int:
    """Place all snakes as the standard map does; return FINE or NO_ROOM_FOR_SNAKE."""
    width, height, snakes = (
        int(game.fields[layout.WIDTH]),
        int(game.fields[layout.HEIGHT]),
        int(game.fields[layout.SNAKES]),
    )
    key = stream(game.clock[layout.SEED], 0, STARTS)
    if width == height:
        if snakes <= 8 and width >= 7:
            place_on_fixed_points(game, key)
            return FINE
        if snakes > 8 and width >= 11:
            place_by_quadrants(game, key)
            return FINE
        if snakes > 8 and width < 7:
            return NO_ROOM_FOR_SNAKE
    return place_anywhere(game, key)


@inlined
def fits_start_food(game: Record, x: int, y: int, head_x: int, head_y: int, clear: bool) -> bool:
    """Return whether start food may lie at (x, y) for this head: away from the centre, in no corner.

    `clear`: the cell must also be free of snakes and hazards (maps of rivers and islands).
    """
    width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
    centre_x, centre_y = (width - 1) // 2, (height - 1) // 2
    cell = cell_of(game, x, y)
    # Nothing here is worth a guess of the processor, so all is computed.
    away = ((x < head_x) & (head_x < centre_x)) | ((centre_x < head_x) & (head_x < x))
    away |= ((y < head_y) & (head_y < centre_y)) | ((centre_y < head_y) & (head_y < y))
    inside = ((x != 0) & (x != width - 1)) | ((y != 0) & (y != height - 1))
    fits = away & inside & ((x != centre_x) | (y != centre_y)) & (game.grid[cell] & layout.FOOD_BIT == 0)
    if clear:
        fits &= (game.grid[cell] & layout.OWNER == 0) & (game.grid[game.fields[layout.AREA] + cell] == 0)
    return bool(fits)


@compiled
def place_food_beside(game: Record, snake: int, key: int, clear: bool) -> int:
    """Put one food on a diagonal neighbour of a snake's head; return FINE or NO_ROOM_FOR_FOOD."""
    cell = int(game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.HEAD])
    stride = int(game.fields[layout.WIDTH]) + 2
    head_x, head_y = cell % stride - 1, cell // stride - 1
    mask = 0
    for corner in range(4):
        x, y = head_x + (corner & 2) - 1, head_y + 2 * (corner & 1) - 1
        mask |= int(fits_start_food(game, x, y, head_x, head_y, clear)) << corner
    if mask == 0:
        return NO_ROOM_FOR_FOOD
    corners = choices_of(mask)
    corner = choice(corners, draw(key, snake, count_of(corners)))
    x, y = head_x + (corner & 2) - 1, head_y + 2 * (corner & 1) - 1
    add_food(game, cell_of(game, x, y))
    return FINE


@compiled
def place_fixed_food(game: Record, clear: bool) -> int:
    """Food beside each snake (not on small boards with five or more) and in the centre; FINE or NO_ROOM_FOR_FOOD.

    `clear` is the routine of the river and island maps, which leaves an unfit centre out silently.
    """
    width, height, snakes = (
        int(game.fields[layout.WIDTH]),
        int(game.fields[layout.HEIGHT]),
        int(game.fields[layout.SNAKES]),
    )
    key = stream(game.clock[layout.SEED], 0, START_FOOD)
    if snakes <= 4 or width * height >= 121:
        for snake in range(snakes):
            if place_food_beside(game, snake, key, clear) != FINE:
                return NO_ROOM_FOR_FOOD
    centre = cell_of(game, (width - 1) // 2, (height - 1) // 2)
    if may_hold_food(game, centre, True, not clear):
        add_food(game, centre)
        return FINE
    return FINE if clear else NO_ROOM_FOR_FOOD


@compiled
def place_food(game: Record) -> int:
    """Place the first food as the standard map does; return FINE or NO_ROOM_FOR_FOOD."""
    width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
    if width == height and width >= 7:
        return place_fixed_food(game, False)
    key = stream(game.clock[layout.SEED], 0, START_FOOD)
    for index in range(game.fields[layout.SNAKES]):
        cell = random_food_cell(game, key, index, False, True)
        if cell >= 0:
            add_food(game, cell)
    return FINE
