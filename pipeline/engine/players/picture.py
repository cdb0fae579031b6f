"""From a game's record to a mind's picture of it: geometry once per board, snakes and food once per turn."""

import numpy as np

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import direction_at, neighbour, step_towards
from pipeline.engine.layout import Record
from pipeline.engine.players import mind as legend
from pipeline.engine.players.mind import Mind, put

_ONE = np.uint64(1)


@inlined
def neighbour_spot(x: int, y: int, direction: int, width: int, height: int, wrapped: int) -> int:
    """Return the spot next to (x, y), -1 behind a wall."""
    x += (direction == 3) - (direction == 2)
    y += (direction == 0) - (direction == 1)
    if wrapped:
        x, y = (x + width) % width, (y + height) % height
    if x < 0 or y < 0 or x >= width or y >= height:
        return -1
    return y * width + x


@compiled
def learn_board(mind: Mind, width: int, height: int, wrapped: int) -> None:
    """Fill the geometry of a board that differs from the last one's."""
    mind.masks[:] = 0
    mind.leaving[:] = 0
    mind.spot_of[:] = -1
    for y in range(height):
        for x in range(width):
            spot = y * width + x
            mind.spot_of[(y + 1) * (width + 2) + x + 1] = spot
            put(mind, legend.BOARD, spot)
            if x > 0:
                put(mind, legend.NOT_LEFT, spot)
            if x < width - 1:
                put(mind, legend.NOT_RIGHT, spot)
            if not wrapped and (x == 0 or y == 0 or x == width - 1 or y == height - 1):
                put(mind, legend.EDGE, spot)
            away = abs(2 * x - width + 1) + abs(2 * y - height + 1)
            mind.off_centre[spot] = 0 if wrapped else 1024 * away // (width + height - 2)
            for direction in range(4):
                mind.next_spot[spot, direction] = neighbour_spot(x, y, direction, width, height, wrapped)
    mind.shape[legend.S_WIDTH] = width
    mind.shape[legend.S_HEIGHT] = height
    mind.shape[legend.S_WRAPPED] = wrapped
    mind.shape[legend.S_SPOTS] = width * height
    mind.shape[legend.S_WORDS] = (width * height + 63) // 64
    mind.shape[legend.S_AREA_SCALE] = (1 << 16) // (width * height)


@compiled
def picture_hazards(mind: Mind, game: Record) -> None:
    """Copy the hazards, if there are any now or were in the last picture."""
    if game.fields[layout.HAZARDS] == 0 and mind.shape[legend.S_HAZARDS] == 0:
        return
    mind.shape[legend.S_HAZARDS] = game.fields[layout.HAZARDS] > 0
    mind.masks[legend.HURTING] = 0
    width, stride, area = mind.shape[legend.S_WIDTH], game.fields[layout.STRIDE], game.fields[layout.AREA]
    for y in range(mind.shape[legend.S_HEIGHT]):
        for x in range(width):
            count = game.grid[area + (y + 1) * stride + x + 1]
            mind.hazards[y * width + x] = count
            if count > 0:
                put(mind, legend.HURTING, y * width + x)


@inlined
def picture_snake(mind: Mind, game: Record, snake: int) -> None:
    """Copy one living snake: its path, tail first, when it leaves which spot, and its numbers."""
    at = layout.HEADER + snake * layout.SNAKE_FIELDS
    steps, pile = (
        int(game.fields[at + layout.LENGTH] - game.fields[at + layout.STACK]),
        int(game.fields[at + layout.STACK]),
    )
    cell, stride, wrapped = (
        int(game.fields[at + layout.TAIL]),
        int(game.fields[layout.STRIDE]),
        mind.shape[legend.S_WRAPPED],
    )
    masks, leaving, path = mind.masks, mind.leaving, mind.paths[snake]
    for index in range(steps + 1):
        spot = int(mind.spot_of[cell])
        path[index] = spot
        bit = _ONE << np.uint64(spot & 63)
        masks[legend.OCCUPIED, spot >> 6] |= bit
        if index + pile < legend.LEAVE_STEPS:
            leaving[index + pile, spot >> 6] |= bit
        direction = direction_at(game, cell)
        cell = neighbour(game, cell, direction) if wrapped else step_towards(cell, direction, stride)
    fields = mind.snakes[snake]
    fields[legend.LIVES] = 1
    fields[legend.HEAD_AT] = steps
    fields[legend.TAIL_AT] = 0
    fields[legend.SIZE] = game.fields[at + layout.LENGTH]
    fields[legend.PILE] = pile
    fields[legend.LIFE] = game.fields[at + layout.HEALTH]
    fields[legend.BEHIND] = 0
    mind.shape[legend.S_LAST_LEAVE] = max(mind.shape[legend.S_LAST_LEAVE], min(steps + pile, legend.LEAVE_STEPS - 1))


@inlined
def clear_picture(mind: Mind) -> None:
    """Empty the rows that hold snakes and food."""
    for word in range(mind.shape[legend.S_WORDS]):
        mind.masks[legend.OCCUPIED, word] = 0
        mind.masks[legend.FOODS, word] = 0
    for step in range(mind.shape[legend.S_LAST_LEAVE] + 1):
        for word in range(mind.shape[legend.S_WORDS]):
            mind.leaving[step, word] = 0
    mind.shape[legend.S_LAST_LEAVE] = 0


@compiled
def picture(mind: Mind, game: Record) -> None:
    """Picture game `game` as it stands, for all its snakes."""
    width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
    wrapped = int(game.fields[layout.RULES] & layout.WRAPPED)
    shape = mind.shape
    if shape[legend.S_WIDTH] != width or shape[legend.S_HEIGHT] != height or shape[legend.S_WRAPPED] != wrapped:
        learn_board(mind, width, height, wrapped)
    shape[legend.S_SNAKES] = game.fields[layout.SNAKES]
    shape[legend.S_DAMAGE] = game.fields[layout.DAMAGE]
    shape[legend.S_CONSTRICTOR] = int(game.fields[layout.RULES] & layout.CONSTRICTOR) > 0
    shape[legend.S_ALONE] = game.fields[layout.ALIVE] <= 1
    clear_picture(mind)
    first = int(game.fields[layout.FOOD_AT])
    for index in range(first, first + game.fields[layout.FOOD]):
        put(mind, legend.FOODS, mind.spot_of[game.fields[index]])
    picture_hazards(mind, game)
    for snake in range(game.fields[layout.SNAKES]):
        if game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE:
            picture_snake(mind, game, snake)
        else:
            mind.snakes[snake, legend.LIVES] = 0
    if shape[legend.S_CONSTRICTOR]:
        # Nobody ever leaves a spot: everybody grows each turn.
        for step in range(shape[legend.S_LAST_LEAVE] + 1):
            mind.leaving[step] = 0
