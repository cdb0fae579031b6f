"""From a game's record to a mind's picture of it: geometry once per board, snakes and food once per turn."""

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import direction_at, neighbour, step_towards
from pipeline.engine.layout import (
    ALIVE,
    ALIVE_CAUSE,
    AREA,
    CAUSE,
    CONSTRICTOR,
    DAMAGE,
    FOOD,
    FOOD_AT,
    HAZARDS,
    HEADER,
    HEALTH,
    HEIGHT,
    LENGTH,
    RULES,
    SNAKE_WORDS,
    SNAKES,
    STACK,
    STRIDE,
    TAIL,
    WIDTH,
    WRAPPED,
    Cells,
    Words,
)
from pipeline.engine.players.mind import (
    BEHIND,
    BOARD,
    EDGE,
    FOODS,
    HEAD_AT,
    HURTING,
    LEAVE_STEPS,
    LIFE,
    LIVES,
    NOT_LEFT,
    NOT_RIGHT,
    OCCUPIED,
    PILE,
    S_ALONE,
    S_AREA_SCALE,
    S_CONSTRICTOR,
    S_DAMAGE,
    S_HAZARDS,
    S_HEIGHT,
    S_LAST_LEAVE,
    S_SNAKES,
    S_SPOTS,
    S_WIDTH,
    S_WORDS,
    S_WRAPPED,
    SIZE,
    TAIL_AT,
    Mind,
)
from pipeline.engine.players.spots import put

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
            put(mind, BOARD, spot)
            if x > 0:
                put(mind, NOT_LEFT, spot)
            if x < width - 1:
                put(mind, NOT_RIGHT, spot)
            if not wrapped and (x == 0 or y == 0 or x == width - 1 or y == height - 1):
                put(mind, EDGE, spot)
            away = abs(2 * x - width + 1) + abs(2 * y - height + 1)
            mind.off_centre[spot] = 0 if wrapped else 1024 * away // (width + height - 2)
            for direction in range(4):
                mind.next_spot[spot, direction] = neighbour_spot(x, y, direction, width, height, wrapped)
    mind.shape[S_WIDTH] = width
    mind.shape[S_HEIGHT] = height
    mind.shape[S_WRAPPED] = wrapped
    mind.shape[S_SPOTS] = width * height
    mind.shape[S_WORDS] = (width * height + 63) // 64
    mind.shape[S_AREA_SCALE] = (1 << 16) // (width * height)


@compiled
def picture_hazards(mind: Mind, words: Words, cells: Cells, game: int) -> None:
    """Copy the hazards, if there are any now or were in the last picture."""
    if words[game, HAZARDS] == 0 and mind.shape[S_HAZARDS] == 0:
        return
    mind.shape[S_HAZARDS] = words[game, HAZARDS] > 0
    mind.masks[HURTING] = 0
    width, stride, area = mind.shape[S_WIDTH], words[game, STRIDE], words[game, AREA]
    for y in range(mind.shape[S_HEIGHT]):
        for x in range(width):
            count = cells[game, area + (y + 1) * stride + x + 1]
            mind.hazards[y * width + x] = count
            if count > 0:
                put(mind, HURTING, y * width + x)


@inlined
def picture_snake(mind: Mind, words: Words, cells: Cells, game: int, snake: int) -> None:
    """Copy one living snake: its path, tail first, when it leaves which spot, and its numbers."""
    at = HEADER + snake * SNAKE_WORDS
    steps, pile = int(words[game, at + LENGTH] - words[game, at + STACK]), int(words[game, at + STACK])
    cell, stride, wrapped = int(words[game, at + TAIL]), int(words[game, STRIDE]), mind.shape[S_WRAPPED]
    masks, leaving, path = mind.masks, mind.leaving, mind.paths[snake]
    for index in range(steps + 1):
        spot = int(mind.spot_of[cell])
        path[index] = spot
        bit = _ONE << np.uint64(spot & 63)
        masks[OCCUPIED, spot >> 6] |= bit
        if index + pile < LEAVE_STEPS:
            leaving[index + pile, spot >> 6] |= bit
        direction = direction_at(cells, game, cell)
        cell = neighbour(words, cells, game, cell, direction) if wrapped else step_towards(cell, direction, stride)
    fields = mind.snakes[snake]
    fields[LIVES] = 1
    fields[HEAD_AT] = steps
    fields[TAIL_AT] = 0
    fields[SIZE] = words[game, at + LENGTH]
    fields[PILE] = pile
    fields[LIFE] = words[game, at + HEALTH]
    fields[BEHIND] = 0
    mind.shape[S_LAST_LEAVE] = max(mind.shape[S_LAST_LEAVE], min(steps + pile, LEAVE_STEPS - 1))


@inlined
def clear_picture(mind: Mind) -> None:
    """Empty the rows that hold snakes and food."""
    for word in range(mind.shape[S_WORDS]):
        mind.masks[OCCUPIED, word] = 0
        mind.masks[FOODS, word] = 0
    for step in range(mind.shape[S_LAST_LEAVE] + 1):
        for word in range(mind.shape[S_WORDS]):
            mind.leaving[step, word] = 0
    mind.shape[S_LAST_LEAVE] = 0


@compiled
def picture(mind: Mind, words: Words, cells: Cells, game: int) -> None:
    """Picture game `game` as it stands, for all its snakes."""
    width, height = int(words[game, WIDTH]), int(words[game, HEIGHT])
    wrapped = int(words[game, RULES] & WRAPPED)
    shape = mind.shape
    if shape[S_WIDTH] != width or shape[S_HEIGHT] != height or shape[S_WRAPPED] != wrapped:
        learn_board(mind, width, height, wrapped)
    shape[S_SNAKES] = words[game, SNAKES]
    shape[S_DAMAGE] = words[game, DAMAGE]
    shape[S_CONSTRICTOR] = int(words[game, RULES] & CONSTRICTOR) > 0
    shape[S_ALONE] = words[game, ALIVE] <= 1
    clear_picture(mind)
    first = int(words[game, FOOD_AT])
    for index in range(first, first + words[game, FOOD]):
        put(mind, FOODS, mind.spot_of[words[game, index]])
    picture_hazards(mind, words, cells, game)
    for snake in range(words[game, SNAKES]):
        if words[game, HEADER + snake * SNAKE_WORDS + CAUSE] == ALIVE_CAUSE:
            picture_snake(mind, words, cells, game, snake)
        else:
            mind.snakes[snake, LIVES] = 0
    if shape[S_CONSTRICTOR]:
        # Nobody ever leaves a spot: everybody grows each turn.
        for step in range(shape[S_LAST_LEAVE] + 1):
            mind.leaving[step] = 0
