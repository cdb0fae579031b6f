"""The one door to the players for compiled callers: the moves of all of a game's snakes that a player moves.

The four simple players stand here: they look at the four cells around their head and at distances, no further.
Those that think picture the game in a `Mind` (`picture.py`) and look ahead (`search.py`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import is_open, neighbour
from pipeline.engine.layout import ALIVE_CAUSE, CAUSE, HEADER, OVER, SNAKE_FIELDS, SNAKES, Moves, Record, Records
from pipeline.engine.players.kinds import AGGRESSIVE, FIRST_THINKER, HUNGRY, RANDOM
from pipeline.engine.players.mind import Mind
from pipeline.engine.players.picture import picture
from pipeline.engine.players.search import think
from pipeline.engine.record import record_of
from pipeline.engine.rng import PLAYER, draw, stream
from pipeline.engine.seats import CALLER, legal_moves

_FAR = 100
_HUNGRY_BELOW = 30


@inlined
def steps_between(game: Record, a: int, b: int) -> int:
    """Return the steps between two cells on an empty board."""
    stride = int(game.fields[layout.STRIDE])
    dx, dy = abs(a % stride - b % stride), abs(a // stride - b // stride)
    if game.fields[layout.RULES] & layout.WRAPPED:
        dx, dy = min(dx, game.fields[layout.WIDTH] - dx), min(dy, game.fields[layout.HEIGHT] - dy)
    return dx + dy


@inlined
def steps_to_food(game: Record, cell: int) -> int:
    """Return the steps to the nearest food, _FAR without any."""
    least = _FAR
    first = int(game.fields[layout.FOOD_AT])
    for index in range(first, first + game.fields[layout.FOOD]):
        least = min(least, steps_between(game, cell, int(game.fields[index])))
    return least


@inlined
def steps_to_shorter(game: Record, cell: int, snake: int) -> int:
    """Return the steps to the nearest head of a shorter snake, _FAR without any."""
    least = _FAR
    length = game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.LENGTH]
    for other in range(game.fields[layout.SNAKES]):
        at = layout.HEADER + other * layout.SNAKE_FIELDS
        if game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE and game.fields[at + layout.LENGTH] < length:
            least = min(least, steps_between(game, cell, int(game.fields[at + layout.HEAD])))
    return least


@inlined
def is_threatened(game: Record, cell: int, snake: int) -> bool:
    """Return whether a head of another snake at least as long is one step from `cell`."""
    length = game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.LENGTH]
    for other in range(game.fields[layout.SNAKES]):
        at = layout.HEADER + other * layout.SNAKE_FIELDS
        feared = (
            other != snake
            and game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE
            and game.fields[at + layout.LENGTH] >= length
        )
        if feared and steps_between(game, cell, int(game.fields[at + layout.HEAD])) == 1:
            return True
    return False


@inlined
def open_around(game: Record, cell: int) -> int:
    """Return how many cells around `cell` are open now."""
    count = 0
    for direction in range(4):
        count += is_open(game, neighbour(game, cell, direction))
    return count


@inlined
def liking(game: Record, snake: int, kind: int, cell: int) -> int:
    """Return how much a simple player likes to go to `cell`."""
    if kind == RANDOM:
        return 0
    food = steps_to_food(game, cell)
    if kind == HUNGRY:
        return -food
    at = layout.HEADER + snake * layout.SNAKE_FIELDS
    room = 4 * min(open_around(game, cell), 2)
    threat = -1000 * is_threatened(game, cell, snake)
    if kind == AGGRESSIVE:
        prey = steps_to_shorter(game, cell, snake)
        if game.fields[at + layout.HEALTH] < _HUNGRY_BELOW or prey == _FAR:
            return threat + room - 2 * food
        return threat + room - 2 * prey
    if game.fields[at + layout.HEALTH] < _HUNGRY_BELOW:
        return threat + room - 2 * food
    return threat + room - 2 * steps_between(game, cell, int(game.fields[at + layout.TAIL]))


@inlined
def any_move(game: Record, snake: int) -> int:
    """Return the move of a snake that has no open one: straight on."""
    facing = int(game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.FACING])
    return 0 if facing == layout.NO_DIRECTION else facing


@compiled
def choose_simply(game: Record, snake: int, kind: int) -> Any:
    """Return the move of a simple player; equal likings are decided by the game's own draws."""
    moves = legal_moves(game, snake)
    if moves == 0:
        return any_move(game, snake)
    key = stream(game.clock[layout.SEED], game.clock[layout.TURN], PLAYER + snake)
    head = int(game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.HEAD])
    best, best_liking, equals = 0, -(1 << 30), 0
    for direction in range(4):
        if (moves >> direction) & 1:
            cell = neighbour(game, head, direction)
            value = liking(game, snake, kind, cell)
            if value > best_liking:
                best, best_liking, equals = direction, value, 1
            elif value == best_liking:
                equals += 1
                # The n-th of equals replaces the chosen one with probability 1/n: uniform among all.
                if draw(key, direction, equals) == 0:
                    best = direction
    return best


Kinds = NDArray[np.uint8]


@compiled
def choose_moves(mind: Mind, game: Record, kinds: Kinds, moves: Moves) -> None:
    """Write into `moves` the move of each living snake that a player moves (not CALLER).

    `kinds` and `moves` are uint8[at least snakes]. Allocates nothing; depends on the game's record alone.
    """
    pictured = False
    for snake in range(game.fields[SNAKES]):
        kind = int(kinds[snake])
        if game.fields[HEADER + snake * SNAKE_FIELDS + CAUSE] != ALIVE_CAUSE or kind == CALLER:
            continue
        if kind < FIRST_THINKER:
            moves[snake] = choose_simply(game, snake, kind)
            continue
        if not pictured:
            picture(mind, game)
            pictured = True
        moves[snake] = think(mind, snake, kind)


@compiled
def choose_in_batch(mind: Mind, records: Records, kinds: Kinds, moves: Moves) -> None:
    """`choose_moves` for every game of a batch that is not over; `kinds` and `moves` uint8[N, at least snakes]."""
    for index in range(kinds.shape[0]):
        game = record_of(records, index)
        if not game.fields[OVER]:
            choose_moves(mind, game, kinds[index], moves[index])
