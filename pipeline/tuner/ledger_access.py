"""Transactions on the ledger, and SQLite's errors in our words."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from sqlite3 import Connection, DatabaseError, OperationalError

from schemas.errors import DatabaseBusyError, DatabaseFullError, OuroborosError, StateError
from schemas.outside_text import LINE_LIMIT, error_line


class WordedErrors(AbstractContextManager[None]):
    """SQLite's errors in our words."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, DatabaseError):
            return
        raise _in_words(error, self._path) from error


class Transaction(WordedErrors):
    """BEGIN IMMEDIATE to COMMIT, or nothing of it."""

    def __init__(self, db: Connection, path: Path) -> None:
        super().__init__(path)
        self._db = db

    def __enter__(self) -> None:
        with WordedErrors(self._path):
            self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._db.execute("COMMIT")
        except DatabaseError as own:
            error = own
        if error is not None and self._db.in_transaction:
            with closing(self._db.cursor()) as cursor:
                cursor.execute("ROLLBACK")
        super().__exit__(kind, error, trace)


@contextmanager
def understood(path: Path, run: str) -> Iterator[None]:
    """What a ledger holds is read: where it is not what it must be, in our words.

    Raises:
        StateError: it is of another version, or damaged.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise StateError(
            f"the run {run!r} cannot be read: it is of another version, or damaged ({error_line(error, LINE_LIMIT)})",
            where=str(path),
            remedy="Name another run, or move the ledger away, with the files beside it that end in -wal and -shm.",
        ) from error


def _in_words(error: DatabaseError, path: Path) -> OuroborosError:
    words = str(error)
    if isinstance(error, OperationalError) and "locked" in words:
        return DatabaseBusyError("another process holds the ledger", where=str(path), remedy="Try again in a moment.")
    if "full" in words or "disk I/O" in words:
        return DatabaseFullError(
            f"the ledger cannot be written: {words}",
            where=str(path),
            remedy="Free some space and start again: nothing that was counted is lost.",
        )
    return StateError(
        f"the ledger cannot be used: {words}",
        where=str(path),
        remedy="Move it away, with the files beside it that end in -wal and -shm, to start afresh.",
    )
