"""The memory of a replay buffer: rows in a ring, planes and territory coded, the codes in a ring of bytes of their own.

Row n lies in slot n % size. Its code stands in the ring of bytes after that of row n - 1, so the oldest rows' codes are
the oldest bytes, and taking new rows over the oldest frees exactly the bytes that come next. Where the live codes do
not fit any more the ring of bytes is made larger. Positions in it count on for ever; modulo its length they are places.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.data.positions import Positions, allocate_positions
from pipeline.engine.compile_cache import compiled, inlined

_FIRST_BYTES: Final = 1 << 20
_CHUNK: Final = 4096
_GROWTH: Final = 1.5
CODED: Final = ("planes", "territory")
PLAIN: Final = tuple(name for name in Positions._fields if name not in CODED)
Bytes = NDArray[np.uint8]
MOST_BOARDS: Final = 255


class ExperienceRows:
    """The newest `size` of all rows ever added, each with its quality; `total` counts those ever added."""

    def __init__(self, size: int, frame: int) -> None:
        """Allocate what every row takes; the codes' memory grows with what they need."""
        self.size: Final = size
        self.frame: Final = frame
        self.total = 0
        empty = allocate_positions(0, frame)
        self.plain: Final[dict[str, NDArray[Any]]] = {
            name: np.zeros((size, *getattr(empty, name).shape[1:]), getattr(empty, name).dtype) for name in PLAIN
        }
        self.quality: Final = np.zeros(size, np.float32)
        self._plane_bytes: Final = int(np.prod(empty.planes.shape[1:]))
        self.boards: Final = np.zeros((MOST_BOARDS, frame * frame), np.uint8)
        self.boards_known = 0
        self._which: Final = np.zeros(size, np.uint8)
        self._starts: Final = np.zeros(size, np.int64)
        self._lengths: Final = np.zeros(size, np.int32)
        self._code: NDArray[np.uint8] = np.zeros(_FIRST_BYTES, np.uint8)
        self._end = 0

    def __len__(self) -> int:
        return min(self.total, self.size)

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken, unused ones included."""
        arrays = (*self.plain.values(), self.quality, self.boards, self._which, self._starts, self._lengths, self._code)
        return sum(array.nbytes for array in arrays)

    def slots_of_live(self) -> NDArray[np.int64]:
        """Return the slots in use, int64[rows], the oldest row's first."""
        return np.arange(self.total - len(self), self.total) % self.size

    def add(self, rows: Positions, quality: NDArray[np.float32]) -> NDArray[np.int64]:
        """Take rows over, evicting the oldest; return the slots of those that are kept (the last `size`)."""
        skipped = max(0, len(rows) - self.size)
        self.total += skipped
        first = self.total
        for start in range(skipped, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._add_chunk(rows.rows(part), quality[part])
        return np.arange(first, self.total) % self.size

    def take(self, slots: NDArray[np.int64]) -> Positions:
        """Return the rows in these slots [M], decoded: each array of `Positions` [M, ...]."""
        made = {name: array.take(slots, 0) for name, array in self.plain.items()}
        planes = np.empty((len(slots), self._plane_bytes), np.uint8)
        territory = np.empty((len(slots), self.frame * self.frame), np.uint8)
        decode_rows(slots, self._code, self._starts, self._lengths, self.boards, self._which, planes, territory)
        shaped = planes.reshape(len(slots), -1, self.frame, self.frame)
        return Positions(planes=shaped, territory=territory, **made)

    def _add_chunk(self, rows: Positions, quality: NDArray[np.float32]) -> None:
        count = len(rows)
        planes = np.ascontiguousarray(rows.planes).reshape(count, -1)
        which, lengths = np.zeros(count, np.uint8), np.zeros(count, np.int32)
        self.boards_known = find_boards(planes, self.boards, self.boards_known, which)
        code = np.empty(count * most_code_bytes(planes.shape[1] + rows.territory.shape[1]), np.uint8)
        territory = np.ascontiguousarray(rows.territory)
        size = encode_rows(planes, territory, self.boards, which, code, lengths)
        slots = np.arange(self.total, self.total + count) % self.size
        self._starts[slots] = self._room_for(size, count) + np.concatenate([[0], np.cumsum(lengths)[:-1]])
        at = int(self._starts[slots[0]]) % len(self._code)
        self._code[at : at + size] = code[:size]
        self._lengths[slots], self._which[slots], self.quality[slots] = lengths, which, quality
        for name, array in self.plain.items():
            array[slots] = getattr(rows, name)
        self.total += count

    def _room_for(self, size: int, count: int) -> int:
        """Return where `size` bytes of `count` new rows may begin, in one piece; the rows they evict are dead now."""
        capacity = len(self._code)
        begin = self._end
        if begin % capacity + size > capacity:
            begin = (begin // capacity + 1) * capacity
        oldest = max(0, self.total + count - self.size)
        tail = int(self._starts[oldest % self.size]) if oldest < self.total else begin
        if begin + size - tail > capacity:
            begin = self._grow(oldest, size)
        self._end = begin + size
        return begin

    def _grow(self, oldest: int, size: int) -> int:
        """Move the live codes, from row `oldest` on, to a larger ring; return where the next bytes may begin."""
        live = np.arange(oldest, self.total) % self.size
        code, ends = self._joined(live)
        self._code = np.zeros(int((len(code) + size) * _GROWTH) + _FIRST_BYTES, np.uint8)
        self._code[: len(code)] = code
        self._starts[live] = ends - self._lengths[live]
        return len(code)

    def _joined(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the codes of these slots one after the other, and where each ends."""
        ends = np.cumsum(self._lengths[slots], dtype=np.int64)
        joined = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
        join_codes(slots, self._code, self._starts, self._lengths, joined)
        return joined, ends

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything there is as arrays, the oldest row first; `restore` takes them."""
        live = self.slots_of_live()
        return {
            **{name: array[live] for name, array in self.plain.items()},
            "quality": self.quality[live],
            "code": self._joined(live)[0],
            "code_lengths": self._lengths[live],
            "board_of": self._which[live],
            "boards": self.boards[: self.boards_known].copy(),
        }

    def restore(self, total: int, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` was taken from, `total` rows having been added ever."""
        self.total = total
        live = self.slots_of_live()
        for name, array in self.plain.items():
            array[live] = state[name]
        self.quality[live] = state["quality"]
        self._lengths[live], self._which[live] = state["code_lengths"], state["board_of"]
        self.boards_known = len(state["boards"])
        self.boards[: self.boards_known] = state["boards"]
        ends = np.cumsum(state["code_lengths"], dtype=np.int64)
        self._starts[live] = ends - state["code_lengths"]
        self._end = len(state["code"])
        self._code = np.zeros(max(_FIRST_BYTES, int(self._end * _GROWTH)), np.uint8)
        self._code[: self._end] = state["code"]


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
    """Write the codes of all rows one after the other; return their bytes together.

    Args:
        planes, territory: uint8[N, ...], one row each.
        boards: uint8[B, cells], the boards that rows share; `which` [N] says which one.
        code: uint8, written; `lengths` int32[N], written: bytes of each row.
    """
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
    """Write the rows of these slots [M] into `planes` and `territory` [M, ...]; `starts` [capacity] count on round the
    ring that `code` is, `lengths` [capacity] are bytes."""
    capacity = code.shape[0]
    for index in range(slots.shape[0]):
        slot = slots[index]
        decode(code, starts[slot] % capacity, lengths[slot], boards[which[slot]], planes[index], territory[index])


@compiled
def join_codes(
    slots: NDArray[np.int64], code: Bytes, starts: NDArray[np.int64], lengths: NDArray[np.int32], joined: Bytes
) -> None:
    """Write the codes of these slots [M] one after the other into `joined`, uint8 of their lengths' sum."""
    capacity, at = code.shape[0], 0
    for index in range(slots.shape[0]):
        slot = slots[index]
        start = starts[slot] % capacity
        for offset in range(lengths[slot]):
            joined[at + offset] = code[start + offset]
        at += lengths[slot]
