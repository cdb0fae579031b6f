"""Who moves a seat of a batch: the caller, or the random legal player that benchmarks and smoke tests use.

The numbers agree with the heuristic players' kinds (`pipeline.engine.players.kinds`), whose loops have a memory of
their own to carry and therefore call `turn.play_turn` themselves.
"""

from typing import Final

import numpy as np

from pipeline.engine.compile_cache import inlined
from pipeline.engine.grid import neighbour
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    HEAD,
    HEADER,
    OWNER,
    SEED,
    SNAKE_WORDS,
    SNAKES,
    STACK,
    TAIL,
    TURN,
    UP,
    Cells,
    Longs,
    Moves,
    Words,
)
from pipeline.engine.rng import PLAYER, draw, stream

RANDOM_LEGAL: Final = 0
CALLER: Final = 255  # the move is the caller's: what stands in the batch's actions

# mask of moves -> its moves in order, and in column 4 their number
_PICK: Final = np.array(
    [[*(moves := [m for m in range(4) if mask >> m & 1]), *[0] * (4 - len(moves)), len(moves)] for mask in range(16)],
    np.int64,
)


@inlined
def is_open(words: Words, cells: Cells, game: int, cell: int) -> bool:
    """Return whether a head may enter a cell without hitting the wall or a body that is still there next turn."""
    owner = cells[game, cell] & OWNER
    if owner == 0:
        return True
    if owner > 16:
        return False
    owner_at = HEADER + (owner - 1) * SNAKE_WORDS
    # A tail that is not stacked moves away this very turn.
    return bool(words[game, owner_at + TAIL] == cell and words[game, owner_at + STACK] == 1)


@inlined
def legal_moves(words: Words, cells: Cells, game: int, snake: int) -> int:
    """Return a mask (bit = move) of the moves that hit neither wall nor a staying body."""
    head = int(words[game, HEADER + snake * SNAKE_WORDS + HEAD])
    mask = 0
    for move in range(4):
        mask |= int(is_open(words, cells, game, neighbour(words, cells, game, head, move))) << move
    return mask


@inlined
def random_legal(words: Words, cells: Cells, longs: Longs, game: int, snake: int) -> int:
    """Return a uniform legal move, or up where there is none."""
    mask = legal_moves(words, cells, game, snake)
    if mask == 0:
        return UP
    count = _PICK[mask, 4]
    return _PICK[mask, draw(stream(longs[game, SEED], longs[game, TURN], PLAYER + snake), 0, count)]


@inlined
def choose_moves(words: Words, cells: Cells, longs: Longs, seats: Moves, actions: Moves, game: int) -> None:
    """Write the random player's move for each of its living snakes; the caller's seats keep what stands there."""
    for snake in range(words[game, SNAKES]):
        if seats[game, snake] == CALLER or words[game, HEADER + snake * SNAKE_WORDS + CAUSE] != ALIVE_CAUSE:
            continue
        actions[game, snake] = random_legal(words, cells, longs, game, snake)
