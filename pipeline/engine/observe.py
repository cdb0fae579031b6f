"""Observations of a batch's snakes as uint8 or float32, written straight into the caller's arrays."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.encode import DEAD_ROW, FOLLOW_FACING, LENS, TRAIL, encode_rows, scale_rows
from pipeline.engine.layout import Records
from pipeline.engine.planes import (
    CONTEXT,
    CONTEXT_SCALES,
    FEATURE_SCALES,
    FEATURES,
    FRAME,
    PLANE_SCALES,
    PLANES,
)
from pipeline.engine.symmetry import IDENTITY, SYMMETRIES, cell_map
from schemas.errors import GameStateError

__all__ = ["DEAD_ROW", "FOLLOW_FACING", "Observations", "Observer", "allocate_observations"]

_CHUNK: Final = 512


class Observations(NamedTuple):
    """M rows: planes [M, 12, frame, frame], features [M, 32], context [M, 16], all uint8 or all float32.

    `symmetries` uint8[M]: through which symmetry each row is to be seen (FOLLOW_FACING: faced up); after encoding the
    symmetry taken, or DEAD_ROW. `MOVE_FROM[symmetry, move]` turns a move of the row's frame into one on the board.
    """

    planes: NDArray[Any]
    features: NDArray[Any]
    context: NDArray[Any]
    symmetries: NDArray[np.uint8]


def allocate_observations(rows: int, dtype: Any = np.uint8, frame: int = FRAME) -> Observations:
    """Return zeroed observations of `rows` rows, seen as the board lies."""
    return Observations(
        np.zeros((rows, len(PLANES), frame, frame), dtype),
        np.zeros((rows, len(FEATURES)), dtype),
        np.zeros((rows, len(CONTEXT)), dtype),
        np.full(rows, IDENTITY, np.uint8),
    )


def _make_lens(width: int, height: int, wrapped: bool, frame: int) -> Any:
    lens = np.zeros(1, LENS)[0]
    lens["place"][:] = -1
    maps = cell_map(frame)
    left, bottom = (frame - width) // 2, (frame - height) // 2
    for y in range(height):
        for x in range(width):
            cell = (y + 1) * (width + 2) + x + 1
            lens["column"][cell], lens["row"][cell] = x, y
            walls = 0 if wrapped else (x == 0) + (x == width - 1) + (y == 0) + (y == height - 1)
            for symmetry in range(SYMMETRIES):
                place = maps[symmetry, (bottom + y) * frame + left + x]
                lens["place"][symmetry, cell] = place
                lens["board"][symmetry, place] = 255 - 85 * walls
    return lens


def lenses_for(boards: NDArray[Any], frame: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the lenses of these boards, [N, 3] of width, height and the WRAPPED bit, and which of them each takes.

    Raises:
        GameStateError: a board does not fit into the frame.
    """
    kinds, which = np.unique(boards, axis=0, return_inverse=True)
    for width, height, _ in kinds:
        if max(width, height) > frame:
            raise GameStateError(
                f"a board of {width}x{height} does not fit into a frame of {frame}x{frame}",
                where="width, height",
                remedy="Observe it with a larger `frame` (up to 25); the network must be made for that frame.",
            )
    lenses = [_make_lens(int(width), int(height), bool(wrapped), frame) for width, height, wrapped in kinds]
    return np.array(lenses, LENS), np.ascontiguousarray(which.reshape(-1), np.int64)


class Observer:
    """Encodes the snakes of one set of records; keeps its memory, so use one per thread."""

    def __init__(self, records: Records, frame: int = FRAME) -> None:
        """Learn the boards of `records`, whose games are set up (sizes and rules stand).

        Raises:
            GameStateError: a board does not fit into the frame.
        """
        self.records: Final = records
        self.frame: Final = frame
        fields = records.fields
        boards = np.stack(
            [fields[:, layout.WIDTH], fields[:, layout.HEIGHT], fields[:, layout.RULES] & layout.WRAPPED], 1
        )
        self._lenses, self._lens_of = lenses_for(boards, frame)
        self._trail: Final = np.zeros(1, TRAIL)[0]
        self._buffer: Final = allocate_observations(_CHUNK, np.uint8, frame)

    def living(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (games, snakes) of all living snakes, game by game: int64[L] each."""
        fields, seats = self.records.fields, (self.records.fields[:, layout.SNAKES]).max()
        columns = layout.HEADER + np.arange(seats) * layout.SNAKE_FIELDS + layout.CAUSE
        there = np.arange(seats) < fields[:, layout.SNAKES, None]
        # Narrow boards of few snakes have rows too short for seats that another game of the batch has.
        causes = fields[:, np.minimum(columns, fields.shape[1] - 1)]
        games, snakes = np.nonzero(there & (causes == layout.ALIVE_CAUSE))
        return np.ascontiguousarray(games), np.ascontiguousarray(snakes)

    def observe(self, games: NDArray[np.int64], snakes: NDArray[np.int64], into: Observations) -> None:
        """Write row i of `into` for snake `snakes[i]` of game `games[i]` (int64[M] each).

        Dead seats, and the seat `MAX_SNAKES` that nobody ever has, give zero rows.

        Rows of one game should follow each other. Nothing is allocated per row. Float rows are exactly the uint8 rows
        times the table's scales.

        Raises:
            ValueError: no game stands yet, or arrays that `allocate_observations(M, ..., frame)` does not return.
            IndexError: a game or seat that does not exist.
        """
        rows = len(games)
        self._check(games, snakes, into)
        if not self.records.fields[:, layout.STRIDE].all():
            raise ValueError("no game stands in one of these records yet; set them up first")
        for first in range(0, rows, rows if into.planes.dtype == np.uint8 else _CHUNK) if rows else ():
            part = slice(first, rows if into.planes.dtype == np.uint8 else min(first + _CHUNK, rows))
            target = into if into.planes.dtype == np.uint8 else self._buffer
            count = part.stop - part.start
            encode_rows(
                self._lenses, self._lens_of, self._trail, self.records,
                games[part], snakes[part], into.symmetries[part],
                target.planes[:count].reshape(count, -1), target.features[:count], target.context[:count],
            )  # fmt: skip
            if target is not into:
                self._scale(count, Observations(*(array[part] for array in into)))

    def _scale(self, count: int, into: Observations) -> None:
        raw, area = self._buffer, self.frame * self.frame
        scale_rows(raw.planes[:count].reshape(count, -1, area), PLANE_SCALES, into.planes.reshape(count, -1, area))
        scale_rows(raw.features[:count, :, None], FEATURE_SCALES, into.features[:, :, None])
        scale_rows(raw.context[:count, :, None], CONTEXT_SCALES, into.context[:, :, None])

    def _check(self, games: NDArray[np.int64], snakes: NDArray[np.int64], into: Observations) -> None:
        rows, dtype = len(games), into.planes.dtype
        if dtype not in (np.uint8, np.float32):
            raise ValueError(f"observations are uint8 or float32, not {dtype}")
        shapes = ((rows, len(PLANES), self.frame, self.frame), (rows, len(FEATURES)), (rows, len(CONTEXT)), (rows,))
        for name, array, shape in zip(into._fields, into, shapes, strict=True):
            wanted = np.dtype(np.uint8) if name == "symmetries" else dtype
            if array.shape != shape or array.dtype != wanted or not array.flags.c_contiguous:
                raise ValueError(f"{name} is {array.dtype}{array.shape}; needed is contiguous {wanted}{shape}")
        for name, array, end in (("games", games, len(self.records.fields)), ("snakes", snakes, layout.MAX_SNAKES + 1)):
            if array.shape != (rows,) or array.dtype != np.int64 or not array.flags.c_contiguous:
                raise ValueError(f"{name} is {array.dtype}{array.shape}; needed is contiguous int64({rows},)")
            if rows and (array.min() < 0 or array.max() >= end):
                raise IndexError(f"{name} holds {array.min()}..{array.max()}; known are 0..{end - 1}")
        bad = (into.symmetries >= SYMMETRIES) & (into.symmetries < DEAD_ROW)
        if bad.any():
            raise ValueError(f"symmetries holds {into.symmetries[bad][0]}; known are 0..7 and FOLLOW_FACING")
