"""Finished games of a batch, handed out as arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.layout import Records
from pipeline.engine.slots import (
    ENDED_SEED,
    SEAT_FIELDS,
    Slots,
    take_waiting,
)
from pipeline.engine.tape import with_head


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
