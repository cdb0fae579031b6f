"""The one door to the players for compiled callers: the moves of all of a game's snakes that a player moves."""

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import ALIVE_CAUSE, CAUSE, HEADER, OVER, SNAKE_FIELDS, SNAKES, Moves, Record, Records
from pipeline.engine.players.kinds import FIRST_THINKER
from pipeline.engine.players.mind import Mind
from pipeline.engine.players.picture import picture
from pipeline.engine.players.search import think
from pipeline.engine.players.simple import choose_simply
from pipeline.engine.record import record_of
from pipeline.engine.seats import CALLER

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
