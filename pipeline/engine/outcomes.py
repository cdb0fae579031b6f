"""What is kept of each finished game of a batch until the caller drains it."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    HEADER,
    KILLER,
    LENGTH,
    LONGS,
    SEED,
    SNAKE_WORDS,
    SNAKES,
    TURN,
    Longs,
    Words,
)

# fields of `games`
OUTCOME_SEED: Final = 0
OUTCOME_TURNS: Final = 1
# fields of `snakes`
RANK: Final = 0
OUTCOME_CAUSE: Final = 1
OUTCOME_KILLER: Final = 2
DIED_ON: Final = 3
OUTCOME_LENGTH: Final = 4
OUTCOME_FIELDS: Final = 5


class OutcomeRing(NamedTuple):
    """Finished games of N slots, K at most waiting per slot.

    waiting int32[N]: how many wait; games int64[N, K, 2]: seed, turns played;
    snakes int32[N, K, S, 5]: rank (1 = best, equal deaths share the better rank), cause, killer (-1 none), turn of
    death (0 = alive), length. Seats beyond the game's snakes have rank 0.
    kept uint8[N, K, T] and kept_lengths int32[N, K]: the tapes of those games; tape uint8[N, T] and lengths int32[N]:
    the tape of the game being played (-1: it did not fit). Where no tapes are kept, these four are empty.
    """

    waiting: NDArray[np.int32]
    games: NDArray[np.int64]
    snakes: NDArray[np.int32]
    kept: NDArray[np.uint8]
    kept_lengths: NDArray[np.int32]
    tape: NDArray[np.uint8]
    lengths: NDArray[np.int32]


def allocate_outcomes(slots: int, waiting: int, snakes: int, tape_bytes: int = 0) -> OutcomeRing:
    """Return an empty ring."""
    taped = slots if tape_bytes > 0 else 0
    return OutcomeRing(
        np.zeros(slots, np.int32),
        np.zeros((slots, waiting, 2), np.int64),
        np.zeros((slots, waiting, snakes, OUTCOME_FIELDS), np.int32),
        np.zeros((taped, waiting, tape_bytes), np.uint8),
        np.zeros((taped, waiting), np.int32),
        np.zeros((taped, tape_bytes), np.uint8),
        np.zeros(taped, np.int32),
    )


@compiled
def death_order(words: Words, longs: Longs, game: int, snake: int) -> int:
    """Return a number that is larger the later a snake died; alive is largest."""
    if words[game, HEADER + snake * SNAKE_WORDS + CAUSE] == ALIVE_CAUSE:
        return 2**62
    return longs[game, LONGS + snake]


@compiled
def rank_of(words: Words, longs: Longs, game: int, snake: int) -> int:
    """Return 1 + the number of snakes that lived longer."""
    own = death_order(words, longs, game, snake)
    rank = 1
    for other in range(words[game, SNAKES]):
        rank += death_order(words, longs, game, other) > own
    return rank


@compiled
def file_outcome(
    words: Words,
    longs: Longs,
    waiting: NDArray[np.int32],
    games: NDArray[np.int64],
    snakes: NDArray[np.int32],
    game: int,
) -> None:
    """Append a finished game to its slot's ring, which has room."""
    at = waiting[game]
    games[game, at, OUTCOME_SEED] = longs[game, SEED]
    games[game, at, OUTCOME_TURNS] = longs[game, TURN]
    for snake in range(snakes.shape[2]):
        if snake >= words[game, SNAKES]:
            snakes[game, at, snake, RANK] = 0
            continue
        block = HEADER + snake * SNAKE_WORDS
        snakes[game, at, snake, RANK] = rank_of(words, longs, game, snake)
        snakes[game, at, snake, OUTCOME_CAUSE] = words[game, block + CAUSE]
        snakes[game, at, snake, OUTCOME_KILLER] = words[game, block + KILLER]
        snakes[game, at, snake, DIED_ON] = longs[game, LONGS + snake]
        snakes[game, at, snake, OUTCOME_LENGTH] = words[game, block + LENGTH]
    waiting[game] = at + 1
