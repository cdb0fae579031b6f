"""PostgreSQL as the history's database: how a connection is opened so that nothing waits for ever, and what its errors
mean. The driver, psycopg, is imported only here, and only for a PostgreSQL URL.

Three deadlines stand behind every statement: the server's own (`statement_timeout`, `lock_timeout`), the kernel's for a
network that swallows packets (keepalives, `tcp_user_timeout`), and ours, for a server that lives and does not answer.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas.errors import (
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    SettingsError,
    StateError,
)

WRITERS = (0x6F75726F, 1)
"""The advisory lock that a transaction holds while it may write: one writer at a time, as SQLite has it. What is read
inside cannot go stale, whoever else writes: daemon, commands, pages, workers."""
LEADER = (0x6F75726F, 2)
"""The advisory lock of the daemon that leads, on a connection of its own for as long as that lives."""
HOLDER = f"""
    SELECT a.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.state_change)::float
    FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() AND l.database = a.datid
      AND l.classid = {LEADER[0]} AND l.objid = {LEADER[1]} AND l.objsubid = 2
"""  # noqa: S608 - our numbers
"""Who leads: the server's process for it, its name, and for how many seconds it has asked nothing; no row: nobody."""
SECRETS = frozenset({"password", "sslpassword"})
"""What a URL may not hold: it is printed, copied into run folders and given to programs by name."""
CONNECT_S = 5
ANSWER_EXTRA_S = 5.0
"""So much later than the server should have given a statement up, we do."""
LONG_S = 3600.0
"""For what reads or writes all of a table: a migration, a check, an export, a move."""
STATEMENT_EXTRA_S = 30.0
"""A statement may take so long beyond the wait for the writers' lock."""


def statement_limit_s(busy_timeout_s: float) -> float:
    """How long a statement of daily work may take: its wait for the lock, and then some."""
    return busy_timeout_s + STATEMENT_EXTRA_S


def is_server(url: str) -> bool:
    """Whether a database URL is one of PostgreSQL's."""
    return url.startswith(("postgresql://", "postgresql+"))


def parameters_of(url: str) -> tuple[dict[str, Any], str]:
    """libpq's parameters of a database URL, and the URL as messages show it. For those who do without SQLAlchemy.

    Raises:
        SettingsError: it cannot be read, names no database, or the driver is not installed.
    """
    plain = "postgresql" + url[url.index("://") :]
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise driver_missing("", error) from error
    try:
        given = conninfo_to_dict(plain)
    except ProgrammingError as error:
        raise SettingsError(f"no database URL: {error}", where="storage.database_url") from error
    if SECRETS & given.keys() or not given.get("dbname"):
        raise SettingsError(
            "the URL holds a password, or names no database",
            where="storage.database_url",
            remedy="Write postgresql+psycopg://USER@HOST/DATABASE; PGPASSWORD or ~/.pgpass holds the password.",
        )
    return given, url


def connect_options(purpose: str, given: Mapping[str, Any], *, busy_timeout_s: float, limit_s: float) -> dict[str, Any]:
    """libpq's parameters for a connection of ours.

    Args:
        purpose: shown by the server's list of connections (`pg_stat_activity.application_name`).
        given: the URL's own parameters, which come first.
        busy_timeout_s: how long to wait for a lock.
        limit_s: how long the server lets a statement take.
    """
    limits = {
        "statement_timeout": int(limit_s * 1000),
        "lock_timeout": max(1, int(busy_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": int(LONG_S * 1000),
    }
    ours = {
        "application_name": f"ouroboros {purpose}"[:63],
        "connect_timeout": CONNECT_S,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "client_encoding": "utf8",
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
    }
    both = {"options": f"{ours['options']} {given['options']}"} if given.get("options") else {}
    return ours | dict(given) | both


@cache
def connection_class() -> Any:
    """psycopg's connection with a deadline of ours on every wait for the server: `answer_s`, an attribute.

    Raises:
        ImportError: psycopg is not installed.
    """
    import psycopg

    class Connection(psycopg.Connection[Any]):
        answer_s: float = LONG_S

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval=interval, timeout=timeout or self.answer_s)
            except psycopg.errors._WaitTimeout as error:
                self.pgconn.finish()  # whatever it answers now belongs to a question that nobody asks any more
                raise psycopg.OperationalError(f"no answer within {self.answer_s:g} s") from error

    return Connection


def isolation_levels() -> Any:
    """psycopg's names for them. A writer, which holds the writers' lock, sees with each statement what was committed
    before it; a reader sees one snapshot."""
    from psycopg import IsolationLevel

    return IsolationLevel


def connect(purpose: str, given: Mapping[str, Any], *, busy_timeout_s: float, limit_s: float) -> Any:
    """Open a connection whose every statement has a deadline.

    Raises:
        psycopg.Error: as psycopg.
        ImportError: psycopg is not installed.
    """
    options = connect_options(purpose, given, busy_timeout_s=busy_timeout_s, limit_s=limit_s)
    connection = connection_class().connect(**options)
    connection.answer_s = limit_s + ANSWER_EXTRA_S
    return connection


def driver_missing(where: str, error: Exception) -> SettingsError:
    """The driver is an extra of ours."""
    return SettingsError(
        f"the driver of this database is not installed: {error}",
        where=f"storage.database_url, {where}",
        remedy="`pip install 'ouroboros[postgres]'`, or leave the setting out to use SQLite.",
    )


_AWAY = (
    "Nothing was changed, and it is tried again. See whether the server runs and can be reached:"
    " `pg_isready`, and the server's log."
)
_BY_STATE: dict[tuple[str, ...], tuple[type[StateError], str, str]] = {
    ("55P03", "57014", "40P01", "40001"): (
        DatabaseBusyError,
        "the database was held by another process for more than {busy_timeout_s} s ({words})",
        "Nothing was changed. `SELECT * FROM pg_stat_activity` shows who holds it; try again.",
    ),
    ("08", "57P", "25P03"): (DatabaseAwayError, "the database server went away: {words}", _AWAY),
    ("53",): (
        DatabaseFullError,
        "the database server has no room: {words}",
        "The transaction was rolled back. Free some of the server's disk, memory or connections.",
    ),
    ("25006", "42501"): (
        DatabaseReadOnlyError,
        "the database may not be written: {words}",
        "Give this user its rights, or name the primary server, not a replica.",
    ),
}
"""By the first letters of SQLSTATE."""
_REFUSED = {
    "password": "Its password comes from PGPASSWORD or ~/.pgpass, never from the settings.",
    "authentication": "Give this user a way in (pg_hba.conf); a password comes from PGPASSWORD or ~/.pgpass.",
    "pg_hba.conf": "Give this user a way in (pg_hba.conf).",
    "role": "Make the user (`createuser NAME`), or name another one in the URL.",
    "database": "Make it (`createdb NAME`), or name another one in the URL.",
}
_STARTING = ("starting up", "shutting down", "recovery", "too many", "remaining connection slots")


def server_error(error: BaseException | None, where: str, busy_timeout_s: float) -> StateError | None:
    """What an error of psycopg means; None: it is none, or one that says no more than itself."""
    if error is None or not type(error).__module__.startswith("psycopg"):
        return None
    state: str | None = getattr(error, "sqlstate", None)
    words = " ".join(str(error).split())
    if state is None:
        return _of_connection(type(error).__name__, words, where)
    for states, (kind, what, remedy) in _BY_STATE.items():
        if state.startswith(states):
            return kind(what.format(words=words, busy_timeout_s=f"{busy_timeout_s:g}"), where=where, remedy=remedy)
    return None


def _of_connection(kind: str, words: str, where: str) -> StateError | None:
    """No state came with it: the server was not reached, or it refused the connection in words."""
    if kind not in {"OperationalError", "ConnectionTimeout"}:
        return None
    if "FATAL:" in words and not any(phrase in words for phrase in _STARTING):
        remedy = next((told for word, told in _REFUSED.items() if word in words), "See the server's log.")
        return StateError(f"the database server refused us: {words}", where=where, remedy=remedy)
    return DatabaseAwayError(f"the database server is away: {words}", where=where, remedy=_AWAY)
