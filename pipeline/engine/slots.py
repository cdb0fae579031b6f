"""What compiled loops get of a batch: its records, a turn's moves, and the finished games that wait to be drained."""

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
    Cells,
    Longs,
    Moves,
    Records,
    Words,
)

# fields of `ended`, and of what a drain hands out behind the slot
ENDED_SEED: Final = 0
ENDED_TURNS: Final = 1
# fields of `seats`
RANK: Final = 0
SEAT_CAUSE: Final = 1
SEAT_KILLER: Final = 2
DIED_ON: Final = 3
SEAT_LENGTH: Final = 4
SEAT_FIELDS: Final = 5


class Slots(NamedTuple):
    """N games of S seats side by side, K finished ones at most waiting per slot.

    `words`, `cells`, `longs`, `corpses`: the records (`layout.py`). `actions` uint8[N, S]: the moves; `done` uint8[N];
    `left` int32[N]: turns that the call under way has still to play.
    `waiting` int32[N]: finished games that wait; `ended` int64[N, K, 2]: their seeds and turns; `seats`
    int32[N, K, S, 5]: rank (1 = best, equal deaths share the better rank; 0 = no such seat), cause, killer (-1 none),
    turn of death (0 = alive), length. `kept` uint8[N, K, T] and `kept_lengths` int32[N, K]: their tapes; `tape`
    uint8[N, T] and `lengths` int32[N]: the tape of the game being played (-1: it did not fit). Where no tapes are
    kept, these four are empty.
    """

    words: Words
    cells: Cells
    longs: Longs
    corpses: Words
    actions: Moves
    done: Moves
    left: NDArray[np.int32]
    waiting: NDArray[np.int32]
    ended: NDArray[np.int64]
    seats: NDArray[np.int32]
    kept: NDArray[np.uint8]
    kept_lengths: NDArray[np.int32]
    tape: NDArray[np.uint8]
    lengths: NDArray[np.int32]


def allocate_slots(records: Records, seats: int, waiting: int, tape_bytes: int) -> Slots:
    """Return the slots of these records, nothing played and nothing waiting."""
    games = len(records.words)
    taped = games if tape_bytes > 0 else 0
    return Slots(
        *records,
        actions=np.zeros((games, seats), np.uint8),
        done=np.zeros(games, np.uint8),
        left=np.zeros(games, np.int32),
        waiting=np.zeros(games, np.int32),
        ended=np.zeros((games, waiting, 2), np.int64),
        seats=np.zeros((games, waiting, seats, SEAT_FIELDS), np.int32),
        kept=np.zeros((taped, waiting, tape_bytes), np.uint8),
        kept_lengths=np.zeros((taped, waiting), np.int32),
        tape=np.zeros((taped, tape_bytes), np.uint8),
        lengths=np.zeros(taped, np.int32),
    )


@compiled
def death_order(slots: Slots, game: int, snake: int) -> int:
    """Return a number that is larger the later a snake died; alive is largest."""
    if slots.words[game, HEADER + snake * SNAKE_WORDS + CAUSE] == ALIVE_CAUSE:
        return 2**62
    return slots.longs[game, LONGS + snake]


@compiled
def rank_of(slots: Slots, game: int, snake: int) -> int:
    """Return 1 + the number of snakes that lived longer."""
    own = death_order(slots, game, snake)
    rank = 1
    for other in range(slots.words[game, SNAKES]):
        rank += death_order(slots, game, other) > own
    return rank


@compiled
def file_game(slots: Slots, game: int) -> bool:
    """Put a finished game among those that wait; False: its slot has no room for one more."""
    at, words, longs, seats = slots.waiting[game], slots.words, slots.longs, slots.seats
    if at >= slots.ended.shape[1]:
        return False
    slots.ended[game, at, ENDED_SEED] = longs[game, SEED]
    slots.ended[game, at, ENDED_TURNS] = longs[game, TURN]
    for snake in range(seats.shape[2]):
        if snake >= words[game, SNAKES]:
            seats[game, at, snake, RANK] = 0
            continue
        block = HEADER + snake * SNAKE_WORDS
        seats[game, at, snake, RANK] = rank_of(slots, game, snake)
        seats[game, at, snake, SEAT_CAUSE] = words[game, block + CAUSE]
        seats[game, at, snake, SEAT_KILLER] = words[game, block + KILLER]
        seats[game, at, snake, DIED_ON] = longs[game, LONGS + snake]
        seats[game, at, snake, SEAT_LENGTH] = words[game, block + LENGTH]
    if slots.tape.shape[0] > 0:
        slots.kept_lengths[game, at] = slots.lengths[game]
        for index in range(slots.lengths[game]):
            slots.kept[game, at, index] = slots.tape[game, index]
    slots.waiting[game] = at + 1
    return True


@compiled
def take_waiting(
    waiting: NDArray[np.int32],
    ended: NDArray[np.int64],
    seats: NDArray[np.int32],
    games_out: NDArray[np.int64],
    seats_out: NDArray[np.int32],
) -> None:
    """Move what waits into games_out int64[3, M] (slot, seed, turns) and seats_out int32[5, M, S]."""
    row = 0
    for slot in range(waiting.shape[0]):
        for at in range(waiting[slot]):
            games_out[0, row] = slot
            games_out[1, row], games_out[2, row] = ended[slot, at, ENDED_SEED], ended[slot, at, ENDED_TURNS]
            for snake in range(seats.shape[2]):
                for field in range(SEAT_FIELDS):
                    seats_out[field, row, snake] = seats[slot, at, snake, field]
            row += 1
        waiting[slot] = 0
