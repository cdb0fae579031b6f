"""How much disk and time the move of a database takes: said before it begins, refused where it cannot end."""

import shutil
import sqlite3
from glob import escape
from pathlib import Path

from schemas.errors import DatabaseFullError

_SAMPLE = 200
_PER_ROW_BYTES = 350
"""Of a row's indexes, numbers and unused ends of pages. An estimate: the page counts of a database of 30,000 runs give
about 140, as much again stands in the log while the indexes are made, and the rest is reserve (the move of those runs
announced 73 MB and held 38 MB at its peak)."""
_LEAST_BYTES = 8 * 2**20


def need_of(old: sqlite3.Connection) -> int:
    """Bytes that the new file takes at most: rows as long as a sample of them, and their indexes."""
    tables = old.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return _LEAST_BYTES + sum(_bytes_of(old, row[0]) for row in tables.fetchall())


def refuse_without_room(path: Path, need_bytes: int, partial: Path) -> None:
    """Look at the free disk; what an earlier try has written already counts as free.

    Raises:
        DatabaseFullError: too little.
    """
    written = sum(file.stat().st_size for file in partial.parent.glob(f"{escape(partial.name)}*"))
    free = shutil.disk_usage(path.parent).free + written
    if free < need_bytes:
        raise DatabaseFullError(
            f"the upgrade writes a new database beside the old one and needs {need_bytes / 1e6:,.0f} MB of free disk;"
            f" {free / 1e6:,.0f} MB are free",
            where=str(path),
            remedy="Nothing was changed. Free some space (`ouroboros db prune` of the old version) and start again.",
        )


def _bytes_of(old: sqlite3.Connection, table: str) -> int:
    count, last = old.execute(f"SELECT count(*), max(rowid) FROM {table}").fetchone()  # noqa: S608 - our names
    if not count:
        return 0
    columns = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
    if table == "occurrences":
        columns.remove("definition_json")  # kept once for all
    length = " + ".join(f"coalesce(length(CAST({column} AS BLOB)), 0)" for column in columns)
    step = max(1, last // _SAMPLE)
    sample = [
        old.execute(f"SELECT {length} FROM {table} WHERE rowid >= ? ORDER BY rowid LIMIT 1", (at,)).fetchone()  # noqa: S608
        for at in range(1, last + 1, step)
    ]
    mean = sum(row[0] for row in sample if row) / max(1, sum(1 for row in sample if row))
    return int(count * (mean + _PER_ROW_BYTES))
