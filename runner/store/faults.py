"""What a database driver's error means, and what its reader can do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

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
        "`ouroboros up` creates it; check the folder's permissions.",
    ),
}
_FAULTS |= dict.fromkeys(
    (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM),
    (
        DatabaseReadOnlyError,
        "the database may not be written",
        "Give this user write permission on the file and its folder.",
    ),
)
_FAULTS |= dict.fromkeys(
    (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
    (
        DatabaseDamagedError,
        "the database is damaged: {}",
        "Look with `ouroboros db check`; to restore, remove its `-wal` and `-shm` files and put the newest "
        "`.backup-*` file in its place.",
    ),
)
_PRIMARY_CODE = 0xFF  # SQLite's extended codes carry the primary one in their lowest byte


@contextmanager
def typed_faults(where: str, busy_timeout_s: float) -> Iterator[None]:
    """Turn the driver's errors into ours; violated constraints and programming errors pass as they are.

    Raises:
        DatabaseBusyError: the lock did not come free within `busy_timeout_s`.
        DatabaseFullError, DatabaseReadOnlyError, DatabaseDamagedError: as their names say.
        StateError: the database cannot be opened, read or written for another reason.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise _busy(where, busy_timeout_s, "another thread of this process") from error
    except IntegrityError:
        raise
    except DBAPIError as error:
        fault = _fault(error.orig, where, busy_timeout_s)
        if fault is None and not isinstance(error, OperationalError):
            raise
        raise fault or StateError(f"the database refused: {error.orig}", where=where) from error
    except sqlite3.Error as error:
        fault = _fault(error, where, busy_timeout_s)
        raise fault or StateError(f"the database refused: {error}", where=where) from error


def _busy(where: str, busy_timeout_s: float, holder: str) -> DatabaseBusyError:
    return DatabaseBusyError(
        f"the database was held by {holder} for more than {busy_timeout_s:g} s",
        where=where,
        remedy="Nothing was changed. End the long transaction (`fuser FILE` shows who has it open) and try again.",
    )


def _fault(error: BaseException | None, where: str, busy_timeout_s: float) -> StateError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & _PRIMARY_CODE
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return _busy(where, busy_timeout_s, "another process")
    if primary not in _FAULTS:
        return None
    kind, what, remedy = _FAULTS[primary]
    return kind(what.format(error), where=where, remedy=remedy)
