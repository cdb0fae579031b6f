"""Planes and territory of a position as a few bytes, and back bit by bit, compiled.

A row is its planes and then its territory. Of the first plane, which is the same for all positions of a board, the
difference (exclusive or) to a known one is taken; then runs of zeros are left out: pairs (zeros before, value), a value
of 0 standing for 255 zeros and nothing after them. Most rows take 100 to 250 bytes instead of 1,573.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled, inlined

Bytes = NDArray[np.uint8]
MOST_BOARDS: Final = 255


def most_code_bytes(row_bytes: int) -> int:
    """Return the longest code of a row: a pair per byte, where none is zero."""
    return 2 * row_bytes


@inlined
def put_pairs(row: Bytes, mask: Bytes, masked: int, code: Bytes, at: int, zeros: int) -> int:
    """Append a stretch to the code; return zeros pending and position as zeros << 32 | position."""
    for index in range(row.shape[0]):
        value = row[index]
        if index < masked:
            value ^= mask[index]
        if value == 0:
            zeros += 1
            continue
        while zeros >= 255:
            code[at], code[at + 1] = 255, 0
            at += 2
            zeros -= 255
        code[at], code[at + 1] = zeros, value
        at += 2
        zeros = 0
    return zeros << 32 | at


@compiled
def encode(planes: Bytes, territory: Bytes, board: Bytes, code: Bytes) -> int:
    """Write one row's code; return its length. planes [P], territory [T], board [A]; code holds the longest one."""
    state = put_pairs(planes, board, board.shape[0], code, 0, 0)
    state = put_pairs(territory, board, 0, code, state & 0xFFFFFFFF, state >> 32)
    return state & 0xFFFFFFFF


@compiled
def decode(code: Bytes, start: int, length: int, board: Bytes, planes: Bytes, territory: Bytes) -> None:
    """Write the row whose code is `code[start : start + length]`."""
    area, size = board.shape[0], planes.shape[0]
    planes[:] = 0
    territory[:] = 0
    for place in range(area):
        planes[place] = board[place]
    place = 0
    for at in range(start, start + length, 2):
        place += code[at]
        value = code[at + 1]
        if value == 0:
            continue
        if place >= size:
            territory[place - size] = value
        elif place < area:
            planes[place] = board[place] ^ value
        else:
            planes[place] = value
        place += 1


@compiled
def find_boards(planes: Bytes, boards: Bytes, known: int, which: Bytes) -> int:
    """Write which of the known boards each row's first plane is, taking new ones over while there is room.

    planes [M, P], boards [MOST_BOARDS, A], which [M]. A board that is neither gets number 0, from which it then
    differs. Returns the number of boards known.
    """
    area = boards.shape[1]
    for row in range(planes.shape[0]):
        found = 0
        while found < known:
            same = True
            for place in range(area):
                if planes[row, place] != boards[found, place]:
                    same = False
                    break
            if same:
                break
            found += 1
        if found == known and known < boards.shape[0]:
            for place in range(area):
                boards[known, place] = planes[row, place]
            known += 1
        which[row] = found if found < known else 0
    return known


@compiled
def encode_rows(
    planes: Bytes, territory: Bytes, boards: Bytes, which: Bytes, code: Bytes, lengths: NDArray[np.int32]
) -> int:
    """Write the codes of all rows one after the other; return their bytes together."""
    at = 0
    for row in range(planes.shape[0]):
        lengths[row] = encode(planes[row], territory[row], boards[which[row]], code[at:])
        at += lengths[row]
    return at


@compiled
def decode_rows(
    slots: NDArray[np.int64], code: Bytes, starts: NDArray[np.int64], lengths: NDArray[np.int32], boards: Bytes,
    which: Bytes, planes: Bytes, territory: Bytes,
) -> None:  # fmt: skip
    """Write the rows of these slots; starts count on round the ring that `code` is."""
    capacity = code.shape[0]
    for index in range(slots.shape[0]):
        slot = slots[index]
        decode(code, starts[slot] % capacity, lengths[slot], boards[which[slot]], planes[index], territory[index])


@compiled
def join_codes(
    slots: NDArray[np.int64], code: Bytes, starts: NDArray[np.int64], lengths: NDArray[np.int32], joined: Bytes
) -> None:
    """Write the codes of these slots one after the other."""
    capacity, at = code.shape[0], 0
    for index in range(slots.shape[0]):
        slot = slots[index]
        start = starts[slot] % capacity
        for offset in range(lengths[slot]):
            joined[at + offset] = code[start + offset]
        at += lengths[slot]
