"""Who moves a seat of a batch: the caller, or the random legal player that benchmarks and smoke tests use.

The numbers agree with the heuristic players' kinds (`pipeline.engine.players.kinds`), whose loops have a memory of
their own to carry and therefore call `turn.play_turn` themselves.
"""

from typing import Final

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import neighbour
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    FACING,
    HEAD,
    HEADER,
    LENGTH,
    OWNER,
    SEED,
    SNAKE_WORDS,
    SNAKES,
    STACK,
    TAIL,
    TURN,
    Cells,
    Longs,
    Moves,
    Words,
)
from pipeline.engine.rng import PLAYER, draw, neighbour_stream, stream

RANDOM_LEGAL: Final = 0
CALLER: Final = 255  # the move is the caller's: what stands in the batch's actions

# mask of moves -> its moves in order (0, up, where there are none), and in column 4 their number
_PICK: Final = np.array(
    [[*(moves := [m for m in range(4) if mask >> m & 1]), *[0] * (4 - len(moves)), len(moves)] for mask in range(16)],
    np.int64,
)


@inlined
def is_leaving_tail(words: Words, cells: Cells, game: int, cell: int) -> bool:
    """Return whether an occupied cell is a tail that moves away this very turn."""
    owner = cells[game, cell] & OWNER
    if owner > 16:
        return False
    owner_at = HEADER + (owner - 1) * SNAKE_WORDS
    return bool(words[game, owner_at + TAIL] == cell and words[game, owner_at + STACK] == 1)


@inlined
def is_open(words: Words, cells: Cells, game: int, cell: int) -> bool:
    """Return whether a head may enter a cell without hitting the wall or a body that is still there next turn."""
    return cells[game, cell] & OWNER == 0 or is_leaving_tail(words, cells, game, cell)


@inlined
def legal_moves(words: Words, cells: Cells, game: int, snake: int) -> int:
    """Return a mask (bit = move) of the moves that hit neither the wall nor a body that is still there next turn."""
    snake_at = HEADER + snake * SNAKE_WORDS
    head = int(words[game, snake_at + HEAD])
    mask = 0
    for move in range(4):
        cell = neighbour(words, cells, game, head, move)
        mask |= int(cells[game, cell] & OWNER == 0) << move
    blocked = 15 - mask
    if words[game, snake_at + LENGTH] > 2:
        blocked &= ~(1 << (words[game, snake_at + FACING] ^ 1))  # the neck is no leaving tail
    while blocked:
        move = _PICK[blocked, 0]
        blocked &= blocked - 1
        if is_leaving_tail(words, cells, game, neighbour(words, cells, game, head, move)):
            mask |= 1 << move
    return mask


@inlined
def set_leaving_tails(words: Words, cells: Cells, game: int, standing: int) -> None:
    """Take the tails that move away this turn out of the grid (`standing` 0), or put them back (1)."""
    for snake in range(words[game, SNAKES]):
        snake_at = HEADER + snake * SNAKE_WORDS
        if words[game, snake_at + CAUSE] == ALIVE_CAUSE and words[game, snake_at + STACK] == 1:
            tail = int(words[game, snake_at + TAIL])
            cells[game, tail] = (cells[game, tail] & (255 - OWNER)) | standing * (snake + 1)


@inlined
def random_free(words: Words, cells: Cells, game: int, snake: int, key: int) -> int:
    """Return a uniform move on to a cell without owner, drawn from the stream `key`, or up where there is none."""
    head = int(words[game, HEADER + snake * SNAKE_WORDS + HEAD])
    mask = 0
    for move in range(4):
        mask |= int(cells[game, neighbour(words, cells, game, head, move)] & OWNER == 0) << move
    return _PICK[mask, draw(key, 0, _PICK[mask, 4])]


@compiled
def choose_moves(words: Words, cells: Cells, longs: Longs, seats: Moves, actions: Moves, game: int) -> None:
    """Write the random player's move for each of its living snakes; the caller's seats keep what stands there.

    The tails that leave are lifted for all at once: asked cell by cell, as `legal_moves` does, whether an occupied cell
    is one of them is a guess that the processor loses so often that it costs as much as all the rules.
    """
    key = stream(longs[game, SEED], longs[game, TURN], PLAYER)
    set_leaving_tails(words, cells, game, 0)
    for snake in range(words[game, SNAKES]):
        if seats[game, snake] == CALLER or words[game, HEADER + snake * SNAKE_WORDS + CAUSE] != ALIVE_CAUSE:
            continue
        actions[game, snake] = random_free(words, cells, game, snake, neighbour_stream(key, snake))
    set_leaving_tails(words, cells, game, 1)
