"""What compiled loops get of a batch (records, a turn's moves, finished games), and those handed out as arrays."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import Bodies, Clock, Fields, Grid, Moves, Record, Records
from pipeline.engine.record import record_of
from pipeline.engine.tape import with_head

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

    `fields`, `grid`, `clock`, `corpses`: the records (`layout.py`). `actions` uint8[N, S]: the moves; `done` uint8[N];
    `left` int32[N]: turns that the call under way has still to play; `filed` int32[N]: games that it filed, at the
    first slot of each thread's part. (So a call has 21 arguments: CPython 3.11 never gives tuples of 20 back.)
    `waiting` int32[N]: finished games that wait; `ended` int64[N, K, 2]: their seeds and turns; `seats`
    int32[N, K, S, 5]: rank (1 = best, equal deaths share the better rank; 0 = no such seat), cause, killer (-1 none),
    turn of death (0 = alive), length. `kept` uint8[N, K, T] and `kept_lengths` int32[N, K]: their tapes; `tape`
    uint8[N, T] and `lengths` int32[N]: the tape of the game being played (-1: it did not fit). Where no tapes are
    kept, these four are empty.
    """

    fields: Fields
    grid: Grid
    clock: Clock
    corpses: Bodies
    actions: Moves
    done: Moves
    left: NDArray[np.int32]
    filed: NDArray[np.int32]
    waiting: NDArray[np.int32]
    ended: NDArray[np.int64]
    seats: NDArray[np.int32]
    kept: NDArray[np.uint8]
    kept_lengths: NDArray[np.int32]
    tape: NDArray[np.uint8]
    lengths: NDArray[np.int32]


def allocate_slots(records: Records, seats: int, waiting: int, tape_bytes: int) -> Slots:
    """Return the slots of these records, nothing played and nothing waiting."""
    games = len(records.fields)
    taped = games if tape_bytes > 0 else 0
    return Slots(
        *records,
        actions=np.zeros((games, seats), np.uint8),
        done=np.zeros(games, np.uint8),
        left=np.zeros(games, np.int32),
        filed=np.zeros(games, np.int32),
        waiting=np.zeros(games, np.int32),
        ended=np.zeros((games, waiting, 2), np.int64),
        seats=np.zeros((games, waiting, seats, SEAT_FIELDS), np.int32),
        kept=np.zeros((taped, waiting, tape_bytes), np.uint8),
        kept_lengths=np.zeros((taped, waiting), np.int32),
        tape=np.zeros((taped, tape_bytes), np.uint8),
        lengths=np.zeros(taped, np.int32),
    )


@compiled
def death_order(game: Record, snake: int) -> int:
    """Return a number that is larger the later a snake died; alive is largest."""
    if game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE:
        return 2**62
    return game.clock[layout.DEATHS + snake]


@compiled
def rank_of(game: Record, snake: int) -> int:
    """Return 1 + the number of snakes that lived longer."""
    own = death_order(game, snake)
    rank = 1
    for other in range(game.fields[layout.SNAKES]):
        rank += death_order(game, other) > own
    return rank


@compiled
def file_game(slots: Slots, slot: int) -> bool:
    """Put a finished game among those that wait; False: its slot has no room for one more."""
    at, game = slots.waiting[slot], record_of(slots, slot)
    if at >= slots.ended.shape[1]:
        return False
    slots.ended[slot, at, ENDED_SEED] = game.clock[layout.SEED]
    slots.ended[slot, at, ENDED_TURNS] = game.clock[layout.TURN]
    for snake in range(slots.seats.shape[2]):
        seat = slots.seats[slot, at, snake]
        if snake >= game.fields[layout.SNAKES]:
            seat[RANK] = 0
            continue
        block = layout.HEADER + snake * layout.SNAKE_FIELDS
        seat[RANK] = rank_of(game, snake)
        seat[SEAT_CAUSE] = game.fields[block + layout.CAUSE]
        seat[SEAT_KILLER] = game.fields[block + layout.KILLER]
        seat[DIED_ON] = game.clock[layout.DEATHS + snake]
        seat[SEAT_LENGTH] = game.fields[block + layout.LENGTH]
    if slots.tape.shape[0] > 0:
        slots.kept_lengths[slot, at] = slots.lengths[slot]
        for index in range(slots.lengths[slot]):
            slots.kept[slot, at, index] = slots.tape[slot, index]
    slots.waiting[slot] = at + 1
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


class Outcomes(NamedTuple):
    """Finished games, M of them, in order of slot and then of finishing.

    slot int64[M]; seed int64[M]; turns int64[M]; and per snake int32[M, S]: rank (1 = best, snakes that died on the
    same turn share it; 0 = no such seat), cause (index into `layout.CAUSE_WORDS`, 0 = alive), killer (snake, -1 none),
    died_on (turn, 0 = alive), length. `tapes`: per game its record for `TapeReader`; b"" where none was kept or it was
    longer than the batch's `tape_bytes`.
    """

    slot: NDArray[np.int64]
    seed: NDArray[np.int64]
    turns: NDArray[np.int64]
    rank: NDArray[np.int32]
    cause: NDArray[np.int32]
    killer: NDArray[np.int32]
    died_on: NDArray[np.int32]
    length: NDArray[np.int32]
    tapes: list[bytes]


def drain(slots: Slots, count: int) -> Outcomes:
    """Return the outcomes of all `count` games that wait, and make room for more."""
    tapes = _tapes(slots) if len(slots.tape) else [b""] * count
    games, seats = np.empty((3, count), np.int64), np.empty((SEAT_FIELDS, count, slots.actions.shape[1]), np.int32)
    if count:
        take_waiting(slots.waiting, slots.ended, slots.seats, games, seats)
    # By position: RANK, SEAT_CAUSE and so on are these numbers, and names cost a microsecond.
    return Outcomes(games[0], games[1], games[2], seats[0], seats[1], seats[2], seats[3], seats[4], tapes)


def _tapes(slots: Slots) -> list[bytes]:
    records, tapes = Records(*slots[:4]), []
    for slot in np.flatnonzero(slots.waiting).tolist():
        for at in range(slots.waiting[slot]):
            length = int(slots.kept_lengths[slot, at])
            tape = slots.kept[slot, at, : max(length, 0)].tobytes()
            seed = int(slots.ended[slot, at, ENDED_SEED])
            tapes.append(with_head(records, slot, seed, tape) if length >= 0 else b"")
    return tapes
