"""The four simple players: they look at the four cells around their head and at distances, no further."""

from typing import Any

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import neighbour
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    FACING,
    FOOD,
    FOOD_AT,
    HEAD,
    HEADER,
    HEALTH,
    HEIGHT,
    LENGTH,
    NO_DIRECTION,
    RULES,
    SEED,
    SNAKE_WORDS,
    SNAKES,
    STRIDE,
    TAIL,
    TURN,
    WIDTH,
    WRAPPED,
    Cells,
    Longs,
    Words,
)
from pipeline.engine.open_cells import is_open
from pipeline.engine.players.kinds import AGGRESSIVE, HUNGRY, RANDOM
from pipeline.engine.rng import PLAYER, draw, stream
from pipeline.engine.seats import legal_moves

_FAR = 100
_HUNGRY_BELOW = 30


@inlined
def steps_between(words: Words, game: int, a: int, b: int) -> int:
    """Return the steps between two cells on an empty board."""
    stride = int(words[game, STRIDE])
    dx, dy = abs(a % stride - b % stride), abs(a // stride - b // stride)
    if words[game, RULES] & WRAPPED:
        dx, dy = min(dx, words[game, WIDTH] - dx), min(dy, words[game, HEIGHT] - dy)
    return dx + dy


@inlined
def steps_to_food(words: Words, game: int, cell: int) -> int:
    """Return the steps to the nearest food, _FAR without any."""
    least = _FAR
    first = int(words[game, FOOD_AT])
    for index in range(first, first + words[game, FOOD]):
        least = min(least, steps_between(words, game, cell, int(words[game, index])))
    return least


@inlined
def steps_to_shorter(words: Words, game: int, cell: int, snake: int) -> int:
    """Return the steps to the nearest head of a shorter snake, _FAR without any."""
    least = _FAR
    length = words[game, HEADER + snake * SNAKE_WORDS + LENGTH]
    for other in range(words[game, SNAKES]):
        at = HEADER + other * SNAKE_WORDS
        if words[game, at + CAUSE] == ALIVE_CAUSE and words[game, at + LENGTH] < length:
            least = min(least, steps_between(words, game, cell, int(words[game, at + HEAD])))
    return least


@inlined
def is_threatened(words: Words, game: int, cell: int, snake: int) -> bool:
    """Return whether a head of another snake at least as long is one step from `cell`."""
    length = words[game, HEADER + snake * SNAKE_WORDS + LENGTH]
    for other in range(words[game, SNAKES]):
        at = HEADER + other * SNAKE_WORDS
        feared = other != snake and words[game, at + CAUSE] == ALIVE_CAUSE and words[game, at + LENGTH] >= length
        if feared and steps_between(words, game, cell, int(words[game, at + HEAD])) == 1:
            return True
    return False


@inlined
def open_around(words: Words, cells: Cells, game: int, cell: int) -> int:
    """Return how many cells around `cell` are open now."""
    count = 0
    for direction in range(4):
        count += is_open(words, cells, game, neighbour(words, cells, game, cell, direction))
    return count


@inlined
def liking(words: Words, cells: Cells, game: int, snake: int, kind: int, cell: int) -> int:
    """Return how much a simple player likes to go to `cell`."""
    if kind == RANDOM:
        return 0
    food = steps_to_food(words, game, cell)
    if kind == HUNGRY:
        return -food
    at = HEADER + snake * SNAKE_WORDS
    room = 4 * min(open_around(words, cells, game, cell), 2)
    threat = -1000 * is_threatened(words, game, cell, snake)
    if kind == AGGRESSIVE:
        prey = steps_to_shorter(words, game, cell, snake)
        if words[game, at + HEALTH] < _HUNGRY_BELOW or prey == _FAR:
            return threat + room - 2 * food
        return threat + room - 2 * prey
    if words[game, at + HEALTH] < _HUNGRY_BELOW:
        return threat + room - 2 * food
    return threat + room - 2 * steps_between(words, game, cell, int(words[game, at + TAIL]))


@inlined
def any_move(words: Words, game: int, snake: int) -> int:
    """Return the move of a snake that has no open one: straight on."""
    facing = int(words[game, HEADER + snake * SNAKE_WORDS + FACING])
    return 0 if facing == NO_DIRECTION else facing


@compiled
def choose_simply(words: Words, cells: Cells, longs: Longs, game: int, snake: int, kind: int) -> Any:
    """Return the move of a simple player; equal likings are decided by the game's own draws."""
    moves = legal_moves(words, cells, game, snake)
    if moves == 0:
        return any_move(words, game, snake)
    key = stream(longs[game, SEED], longs[game, TURN], PLAYER + snake)
    head = int(words[game, HEADER + snake * SNAKE_WORDS + HEAD])
    best, best_liking, equals = 0, -(1 << 30), 0
    for direction in range(4):
        if (moves >> direction) & 1:
            cell = neighbour(words, cells, game, head, direction)
            value = liking(words, cells, game, snake, kind, cell)
            if value > best_liking:
                best, best_liking, equals = direction, value, 1
            elif value == best_liking:
                equals += 1
                # The n-th of equals replaces the chosen one with probability 1/n: uniform among all.
                if draw(key, direction, equals) == 0:
                    best = direction
    return best
