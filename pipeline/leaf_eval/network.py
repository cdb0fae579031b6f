"""The network in whole numbers, exactly as the snakes compute it, and its file.

A position is shown as one small number for each feature of a legend; each picks a row of `LANES` numbers, the rows are
summed, all lanes but the last clipped to 0..`ACTIVATION_ONE`, and a weight for each lane makes one sum of them, in
2**-`POINT_SHIFT` points. Table-driven sums instead of matrix products: a leaf costs some forty additions of rows
(after the feature transformer of NNUE, Yu Nasu 2018, without its incremental updates).
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ModelError
from schemas.files import write_atomic

MAGIC: Final = b"OUROLEAF"
VERSION: Final = 1
LANES: Final = 16
ROW_LIMIT: Final = 780
ACTIVATION_ONE: Final = 256
POINT_SHIFT: Final = 12
HAND_ONE: Final = 256
_HEAD: Final = struct.Struct("<5I")


@dataclass(frozen=True, slots=True)
class Legend:
    """What a position is shown as: the features' names, and how many values each takes, from 0 on."""

    names: tuple[str, ...]
    values: tuple[int, ...]

    @property
    def starts(self) -> NDArray[np.int32]:
        """Where each feature's rows begin in a table, int32[F]."""
        return np.cumsum([0, *self.values[:-1]], dtype=np.int32)

    @property
    def rows(self) -> int:
        """The rows of a table."""
        return sum(self.values)

    def checksum(self) -> int:
        """The CRC-32 by which a file names the legend that it was made for."""
        text = "".join(f"{name} {count}\n" for name, count in zip(self.names, self.values, strict=True))
        return zlib.crc32(text.encode())


@dataclass(frozen=True, slots=True)
class LeafNetwork:
    """One network: table int16[rows, LANES] within `ROW_LIMIT`, bias int16[LANES], output int16[LANES]."""

    table: NDArray[np.int16]
    bias: NDArray[np.int16]
    output: NDArray[np.int16]

    @property
    def silent(self) -> bool:
        """Whether it adds nothing to any position."""
        return not self.output.any()

    def evaluate(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the values, int32[N], in 2**-`POINT_SHIFT` points, of positions whose rows are given, int32[N, F]."""
        values = np.empty(len(rows), np.int32)
        for first in range(0, len(rows), 65536):  # bounds the memory of the gathered rows
            part = slice(first, first + 65536)
            lanes = self.table[rows[part]].sum(1, dtype=np.int32) + self.bias
            lanes[:, :-1] = lanes[:, :-1].clip(0, ACTIVATION_ONE)
            values[part] = lanes @ self.output.astype(np.int32)
        return values


def silent_network(legend: Legend) -> LeafNetwork:
    """A network that leaves everything to the snake's own evaluation."""
    return LeafNetwork(*(np.zeros(shape, np.int16) for shape in ((legend.rows, LANES), LANES, LANES)))


@dataclass(frozen=True, slots=True)
class LeafEval:
    """What a file holds. `hand_share`, 0..1: how much of a snake's own evaluation is added to the network's value."""

    legend: Legend
    hand_share: float
    width: int
    height: int
    duel: LeafNetwork
    crowd: LeafNetwork

    def to_bytes(self) -> bytes:
        """The file's content; little-endian, the CRC-32 of all before it at its end."""
        head = _HEAD.pack(VERSION, self.legend.checksum(), round(self.hand_share * HAND_ONE), self.width, self.height)
        parts = [MAGIC, head]
        for network in (self.duel, self.crowd):
            parts += [each.astype("<i2").tobytes() for each in (network.table, network.bias, network.output)]
        content = b"".join(parts)
        return content + struct.pack("<I", zlib.crc32(content))

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            ModelError: it cannot be written.
        """
        try:
            write_atomic(path, self.to_bytes())
        except OSError as error:
            raise ModelError(
                f"the leaf evaluation cannot be written: {error.strerror}", where=str(path), remedy="Name another file."
            ) from error


def load(path: Path, legend: Legend) -> LeafEval:
    """Read a file that was made for this legend.

    Raises:
        ModelError: it cannot be read, is damaged, or was made for another version or other features.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"there is no leaf evaluation to read: {error.strerror}", where=str(path)) from error
    shape = (legend.rows + 2, LANES)
    size = len(MAGIC) + _HEAD.size + 2 * 2 * shape[0] * shape[1] + 4
    if not content.startswith(MAGIC) or len(content) < len(MAGIC) + _HEAD.size:
        raise ModelError("this is no leaf evaluation", where=str(path))
    version, checksum, share, width, height = _HEAD.unpack_from(content, len(MAGIC))
    if (version, checksum) != (VERSION, legend.checksum()):
        raise ModelError(
            "the leaf evaluation was made for another version of the snakes",
            where=str(path),
            remedy="Fit it anew: `ouroboros leaf-eval fit`.",
        )
    if len(content) != size or struct.unpack("<I", content[-4:])[0] != zlib.crc32(content[:-4]):
        raise ModelError("the leaf evaluation is damaged: its checksum is not that of what it holds", where=str(path))
    numbers = np.frombuffer(content, "<i2", 4 * shape[0] * shape[1] // 2, len(MAGIC) + _HEAD.size)
    duel, crowd = (_network(half) for half in numbers.reshape(2, *shape))
    return LeafEval(legend, share / HAND_ONE, width, height, duel, crowd)


def _network(block: NDArray[np.int16]) -> LeafNetwork:
    return LeafNetwork(block[:-2], block[-2], block[-1])


def rows_of(shown: NDArray[np.uint8], legend: Legend) -> NDArray[np.int32]:
    """Return each position's rows, int32[N, F], of what it is shown as, uint8[N, F]."""
    return shown.astype(np.int32) + legend.starts


def legend_of(pairs: Sequence[tuple[str, int]]) -> Legend:
    """The legend from pairs of name and number of values."""
    return Legend(tuple(name for name, _ in pairs), tuple(values for _, values in pairs))
