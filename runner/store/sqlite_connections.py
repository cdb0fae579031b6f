"""Connections to an SQLite file: how each kind is set up, and how a whole copy is taken."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

_WAL_LIMIT_BYTES = 64 * 2**20
_PAGE_BYTES = 8192
_WAL_RETRY_S = 0.01
SMALL_CACHE = "PRAGMA cache_size = -512"
"""In KiB; the default is 2,000."""


def connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    """Open an existing file; `mode` is SQLite's."""
    # mode=rw never creates: a `status` on a folder without a database must not leave an empty file behind.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = as_text
    return connection


as_text = partial(str, encoding="utf-8", errors="replace")
"""What a shell of another encoding wrote into one row must not fail each query that meets it."""


@contextmanager
def opened(path: Path, busy_timeout_s: float) -> Iterator[sqlite3.Connection]:
    """A connection that may write, closed again."""
    connection = connect(path, "rw", busy_timeout_s)
    try:
        yield connection
    finally:
        connection.close()


def copy_whole(source: sqlite3.Connection, target: Path) -> None:
    """Copy the last committed state into a new file, by SQLite's own backup call."""
    # In one step, on one snapshot: in several, each write of another process would begin the copy again.
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        for connection in (source, copy):  # each page passes once: a large cache would only stay in the daemon's memory
            connection.execute(SMALL_CACHE)
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, which opens without others beside it


def prepare_reader(connection: sqlite3.Connection, busy_timeout_s: float) -> None:  # noqa: ARG001
    """It cannot write."""
    connection.execute("PRAGMA query_only = ON")


def prepare_writer(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """What is committed survives a power cut; foreign keys hold."""
    _enter_wal(connection, busy_timeout_s)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")


def prepare_migration(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """As a writer, but tables may be rebuilt without cascades."""
    prepare_writer(connection, busy_timeout_s)
    connection.execute("PRAGMA foreign_keys = OFF")


def _enter_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """WAL is a property of the file. Changing to it fails at once while another connection does the same, whatever
    the busy timeout says, so it is tried again until then."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    # Both take effect only on a file that is still empty. Of pages of 4 kB a row of half a kilobyte leaves 5 % unused.
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_RETRY_S)
        else:
            return
