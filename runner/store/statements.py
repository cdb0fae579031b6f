"""Turns the errors of SQLAlchemy and of the driver below it into ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schemas.errors import StateError
from schemas.postgresql import server_fault
from schemas.sqlite_faults import busy, sqlite_fault


@contextmanager
def typed_faults(where: str, busy_timeout_s: float) -> Iterator[None]:
    """Turn the driver's errors into ours; violated constraints and programming errors pass as they are.

    Raises:
        DatabaseBusyError: the lock did not come free within `busy_timeout_s`.
        DatabaseAwayError: its server does not answer.
        DatabaseFullError, DatabaseReadOnlyError, DatabaseDamagedError: as their names say.
        StateError: the database cannot be opened, read or written for another reason.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise busy(where, busy_timeout_s, "another thread of this process") from error
    except IntegrityError:
        raise
    except DBAPIError as error:
        fault = sqlite_fault(error.orig, where, busy_timeout_s) or server_fault(error.orig, where, busy_timeout_s)
        if fault is None and not isinstance(error, OperationalError):
            raise
        raise fault or StateError(f"the database refused: {error.orig}", where=where) from error
    except sqlite3.Error as error:
        fault = sqlite_fault(error, where, busy_timeout_s)
        raise fault or StateError(f"the database refused: {error}", where=where) from error
