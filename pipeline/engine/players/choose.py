"""The one door to the players for compiled callers: the moves of all of a game's snakes that a player moves."""

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import ALIVE_CAUSE, CAUSE, HEADER, OVER, SNAKE_WORDS, SNAKES, Cells, Longs, Moves, Words
from pipeline.engine.players.kinds import FIRST_THINKER
from pipeline.engine.players.mind import Mind
from pipeline.engine.players.picture import picture
from pipeline.engine.players.search import think
from pipeline.engine.players.simple import choose_simply
from pipeline.engine.seats import CALLER

Kinds = NDArray[np.uint8]


@compiled
def choose_moves(mind: Mind, words: Words, cells: Cells, longs: Longs, game: int, kinds: Kinds, moves: Moves) -> None:
    """Write into `moves[game]` the move of each living snake that a player moves (not CALLER).

    `kinds` and `moves` are uint8[N, at least snakes]. Allocates nothing; depends on the game's record alone.
    """
    pictured = False
    for snake in range(words[game, SNAKES]):
        kind = int(kinds[game, snake])
        if words[game, HEADER + snake * SNAKE_WORDS + CAUSE] != ALIVE_CAUSE or kind == CALLER:
            continue
        if kind < FIRST_THINKER:
            moves[game, snake] = choose_simply(words, cells, longs, game, snake, kind)
            continue
        if not pictured:
            picture(mind, words, cells, game)
            pictured = True
        moves[game, snake] = think(mind, snake, kind)


@compiled
def choose_in_batch(mind: Mind, words: Words, cells: Cells, longs: Longs, kinds: Kinds, moves: Moves) -> None:
    """`choose_moves` for every game of a batch that is not over."""
    for game in range(words.shape[0]):
        if not words[game, OVER]:
            choose_moves(mind, words, cells, longs, game, kinds, moves)
