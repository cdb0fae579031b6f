"""Which snakes a turn asks for, as rows: compiled, over all games of a batch at once."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    HEADER,
    OVER,
    SEED,
    SNAKE_FIELDS,
    SNAKES,
    TURN,
    Clock,
    Fields,
    Moves,
)
from pipeline.engine.rng import PLAYER, draw, stream

NOBODY: Final = 255
"""In `asked`: no policy moves this seat."""
_DRAW_BITS: Final = 24  # a float32's fraction: every draw is exact, and below 1
_DRAW_INDEX: Final = 1  # number 0 of a seat's stream is the random heuristic's


@inlined
def is_asked(fields: Fields, asked: Moves, game: int, snake: int) -> bool:
    """Return whether a policy moves this seat next."""
    alive = fields[game, HEADER + snake * SNAKE_FIELDS + CAUSE] == ALIVE_CAUSE
    return bool(alive and asked[game, snake] != NOBODY and not fields[game, OVER])


@compiled
def list_rows(
    fields: Fields,
    clock: Clock,
    asked: Moves,
    starts: NDArray[np.int64],
    games: NDArray[np.int64],
    snakes: NDArray[np.int64],
    draws: NDArray[np.float32],
) -> None:
    """List the living snakes that policies move, policy by policy, then game by game and seat by seat.

    Args:
        asked: [N, S], the number of the seat's policy, or NOBODY.
        starts: [policies + 1], written: policy p's rows are starts[p] .. starts[p + 1].
        games, snakes, draws: [at least as many as there are such seats], written: each row's game, seat, and chance
            number from (game seed, turn, seat).
    """
    starts[:] = 0
    for game in range(fields.shape[0]):
        for snake in range(fields[game, SNAKES]):
            if is_asked(fields, asked, game, snake):
                starts[asked[game, snake] + 1] += 1
    for policy in range(1, starts.shape[0]):
        starts[policy] += starts[policy - 1]
    # From here on starts[p] is where p's next row goes, which in the end is where the rows of p + 1 begin.
    for game in range(fields.shape[0]):
        for snake in range(fields[game, SNAKES]):
            if is_asked(fields, asked, game, snake):
                row = starts[asked[game, snake]]
                starts[asked[game, snake]] = row + 1
                games[row], snakes[row] = game, snake
                key = stream(clock[game, SEED], clock[game, TURN], PLAYER + snake)
                draws[row] = np.float32(draw(key, _DRAW_INDEX, 1 << _DRAW_BITS)) / np.float32(1 << _DRAW_BITS)
    for policy in range(starts.shape[0] - 1, 0, -1):
        starts[policy] = starts[policy - 1]
    starts[0] = 0


@compiled
def put_moves(chosen: Moves, games: NDArray[np.int64], snakes: NDArray[np.int64], moves: Moves) -> None:
    """Write row i's move to moves[games[i], snakes[i]]."""
    for row in range(chosen.shape[0]):
        moves[games[row], snakes[row]] = chosen[row]
