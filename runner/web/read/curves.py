"""TensorBoard's event files, as the self-play pipeline writes them: scalars by step, read without TensorBoard.

An event file is TFRecords (length, its checksum, data, its checksum) of `Event` messages; of these the fields step (2)
and summary (5), of a summary's values (1) the tag (1) and simple_value (2), as `event.proto` and `summary.proto` of
TensorBoard number them.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 24 << 20
"""Of one phase's curves; the newest files first."""
Curve = dict[int, float]
"""Step -> value; a step that comes again, after a resume, counts in its last value."""


def read_curves(folder: Path) -> dict[str, Curve]:
    """All curves of a folder of event files, by tag; none where there is none."""
    try:
        files = sorted(folder.glob("*tfevents*"), key=lambda path: path.stat().st_mtime)
    except OSError:
        return {}
    found: dict[str, Curve] = {}
    left = MOST_BYTES
    chosen: list[Path] = []
    for path in reversed(files):
        size = path.stat().st_size
        if size > left and chosen:
            break
        chosen.append(path)
        left -= size
    for path in reversed(chosen):
        for step, values in _events(path):
            for tag, value in values:
                found.setdefault(tag, {})[step] = value
    return found


def _events(path: Path) -> Iterator[tuple[int, list[tuple[str, float]]]]:
    """Step and values of each event; a torn end is no event."""
    try:
        with path.open("rb") as handle:
            while len(head := handle.read(12)) == 12:
                (length,) = struct.unpack_from("<Q", head)
                if length > MOST_BYTES:
                    return
                data = handle.read(length)
                if len(data) < length or len(handle.read(4)) < 4:
                    return
                yield _event(data)
    except (OSError, ValueError, IndexError, struct.error):
        return


def _event(data: bytes) -> tuple[int, list[tuple[str, float]]]:
    step = 0
    values: list[tuple[str, float]] = []
    for number, value in _fields(data):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            values += [_value(part) for field, part in _fields(value) if field == 1 and isinstance(part, bytes)]
    return step, [(tag, value) for tag, value in values if tag]


def _value(data: bytes) -> tuple[str, float]:
    tag, number = "", 0.0
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif field == 2 and isinstance(value, bytes):
            (number,) = struct.unpack("<f", value)
    return tag, number


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Protocol buffers: number and value of each field; fixed-width values as their bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        length, place = _varint(data, place) if kind == 2 else ({1: 8, 5: 4}[kind] if kind in (1, 5) else -1, place)
        if length < 0 or place + length > len(data):
            raise ValueError("no such field")
        yield key >> 3, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
        shift += 7
