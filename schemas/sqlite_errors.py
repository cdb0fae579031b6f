"""What an error of Python's SQLite driver means, and what its reader can do about it."""

import os
import sqlite3
from pathlib import Path

from schemas.database import way_back
from schemas.errors import (
    DatabaseBusyError,
    DatabaseDamagedError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    StateError,
)

_FAULTS: dict[int, tuple[type[StateError], str, str]] = {
    sqlite3.SQLITE_FULL: (
        DatabaseFullError,
        "the disk is full",
        "The transaction was rolled back. Free some space.",
    ),
    sqlite3.SQLITE_IOERR: (
        StateError,
        "reading or writing the database failed: {}",
        "The transaction was rolled back. Check the disk and its free space.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        StateError,
        "there is no database here, or it cannot be opened",
        "`ouroboros init` or `ouroboros up` creates it; check the folder's permissions.",
    ),
}
_FAULTS |= dict.fromkeys(
    (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM),
    (
        DatabaseReadOnlyError,
        "the database may not be written",
        "Give this user write permission on the file and its folder; `status`, `history`, `why` and `next` only read.",
    ),
)
_FAULTS |= dict.fromkeys(
    (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
    (
        DatabaseDamagedError,
        "the database is damaged: {}",
        "",  # `way_back` knows which backups there are
    ),
)
_PRIMARY_CODE = 0xFF  # SQLite's extended codes carry the primary one in their lowest byte


def busy(where: str, busy_timeout_s: float, holder: str) -> DatabaseBusyError:
    """The lock did not come free in time."""
    return DatabaseBusyError(
        f"the database was held by {holder} for more than {busy_timeout_s:g} s",
        where=where,
        remedy="Nothing was changed. End the long transaction (`fuser FILE` shows who has it open) and try again.",
    )


def sqlite_error(error: BaseException | None, where: str, busy_timeout_s: float) -> StateError | None:
    """What an error of Python's SQLite driver means; None: it is none, or one that says no more than itself."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & _PRIMARY_CODE
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return busy(where, busy_timeout_s, "another process")
    if primary not in _FAULTS:
        return None
    if primary == sqlite3.SQLITE_CANTOPEN and _lies_read_only(where):
        primary = sqlite3.SQLITE_READONLY
    kind, what, remedy = _FAULTS[primary]
    return kind(what.format(error), where=where, remedy=remedy or way_back(Path(where)))


def _lies_read_only(where: str) -> bool:
    """The file is there, and its folder takes no write-ahead log: SQLite says of both that it cannot open the file."""
    path = Path(where)
    return path.is_file() and not os.access(path.parent, os.W_OK)
