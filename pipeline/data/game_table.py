"""Games as a Parquet table that any reader of Parquet understands: one row a game, one column a field.

Seats are lists (`players`, `ranks`, `causes`, ...), causes are the API's words ("" = alive), `tape` is the game itself
(`engine.tape` has its format), `played_at` is UTC. The file's key-value metadata names the format.
"""

import io
import itertools
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data.stored_game import StoredGame
from pipeline.engine.layout import CAUSE_WORDS
from schemas.errors import DataError

FORMAT: Final = "ouroboros-games/1"
_FORMAT_KEY: Final = b"format"
_SEATS: Final = ("players", "ranks", "causes", "killers", "deaths", "lengths", "seats_to_learn")
"""Columns of lists, a value per seat."""

SCHEMA: Final = pa.schema(
    [
        ("game_id", pa.string()),
        ("seed", pa.int64()),
        ("tape", pa.binary()),
        ("players", pa.list_(pa.string())),
        ("ranks", pa.list_(pa.int32())),
        ("causes", pa.list_(pa.string())),
        ("killers", pa.list_(pa.int32())),
        ("deaths", pa.list_(pa.int32())),
        ("lengths", pa.list_(pa.int32())),
        ("turns", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("ruleset", pa.string()),
        ("map_id", pa.string()),
        ("source", pa.string()),
        ("played_at", pa.timestamp("us", tz="UTC")),
        ("quality", pa.float64()),
        ("seats_to_learn", pa.list_(pa.int32())),
    ],
    metadata={_FORMAT_KEY: FORMAT.encode()},
)


def to_parquet(games: Sequence[StoredGame]) -> bytes:
    """Return a whole Parquet file of these games."""
    columns = {name: [getattr(game, name) for game in games] for name in SCHEMA.names}
    columns["causes"] = [[CAUSE_WORDS[cause] for cause in causes] for causes in columns["causes"]]
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, schema=SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def from_parquet(data: bytes) -> list[StoredGame]:
    """Return the games of such a file.

    Raises:
        DataError: no Parquet file, another format, or a field that no game can have.
    """
    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"not a Parquet file that can be read: {error}") from error
    told = (table.schema.metadata or {}).get(_FORMAT_KEY, b"").decode(errors="replace")
    if told != FORMAT or not table.schema.equals(SCHEMA):
        raise DataError(f"no games of format {FORMAT}, but {told or 'none named'}")
    try:
        columns = [_values(table.column(name).combine_chunks(), name) for name in SCHEMA.names]
        return [StoredGame(*row) for row in zip(*columns, strict=True)]
    except (TypeError, ValueError) as error:
        raise DataError(f"a field is none that a game can have: {error}") from error


def _values(column: Any, name: str) -> Sequence[Any]:
    """The values of a column, those of a seat each as tuples; slices of one list, since Arrow's own are slow."""
    if name not in _SEATS:
        return list(column.to_pylist())
    flat, ends = column.values.to_pylist(), column.offsets.to_pylist()
    if name == "causes":
        flat = [CAUSE_WORDS.index(word) for word in flat]
    return [tuple(flat[start:end]) for start, end in itertools.pairwise(ends)]
