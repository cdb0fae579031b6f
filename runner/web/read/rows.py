"""What readers need of a database: a statement with `?` for each value, and rows that know their columns' names.

SQLite's driver gives just that; `server_database` gives it of PostgreSQL. So every statement of this package is written
once, in what both understand: `enabled` and not `enabled = 1`, a name for each inner SELECT, no look into JSON.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = Any
"""One row: a column by its name or its place, and all of them in order. `sqlite3.Row` is one."""


class Found(Protocol):
    """What a statement found."""

    def fetchone(self) -> Row:
        """The next row; None: there is none."""
        ...

    def fetchall(self) -> list[Row]:
        """All that are left."""
        ...

    def __iter__(self) -> Iterator[Row]: ...


class Rows(Protocol):
    """One transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Found:
        """Ask, with a value for each `?`."""
        ...


class History(Protocol):
    """The history's database, whatever holds it. Safe to use from several threads at once."""

    def snapshot(self) -> AbstractContextManager[Rows]:
        """One transaction that cannot write.

        Raises:
            StateError: there is no database, it is of another version, or cannot be read.
        """
        ...

    def writing(self) -> AbstractContextManager[Rows]:
        """One short transaction that may write: committed at the end, rolled back if anything is raised.

        Raises:
            StateError: as `snapshot`; the database is busy, full or read-only.
        """
        ...

    def version(self) -> int | str | None:
        """What changes with every commit of anybody; None while it cannot be asked. For one caller only."""
        ...

    def close(self) -> None:
        """Let the connections go that are not in use."""
        ...
