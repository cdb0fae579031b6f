"""Who leads a database on a server: one daemon, by an advisory lock that the server lets go when the connection of
whoever holds it ends; every other daemon of that database stands by, and takes over.

A daemon that was killed loses its connection at once. One that hangs or is cut off keeps it, so it is judged by the
server's own clock: the leader asks something every second, and whoever has asked nothing for `SILENT_S` is put out by
the next in line. It finds that out before it starts anything more: by its connection, by the age of its last answer,
and, for what it still writes, under the writers' lock (`heartbeat.leader_fence`).
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner import single_instance
from runner.store.database_url import server_parameters
from runner.store.engine import Store
from schemas import postgresql
from schemas.errors import DatabaseAwayError, StateError

BEAT_S = 1.0
LOOK_S = 0.5
ANSWER_S = 3.0
"""For a question that takes a millisecond."""
SILENT_S = 6.0
"""A leader that has asked nothing for so long is put out."""
SURE_S = 4.0
"""A leader whose last answer is older starts nothing: well before anybody puts it out."""
_log = logging.getLogger("ouroboros.lead")


class LeaderState(StrEnum):
    """What a daemon that led finds itself to be."""

    HELD = "held"
    AWAY = "away"
    """The server does not answer, or has not for a while: nothing starts until it is clear who leads."""
    LOST = "lost"
    """Another daemon leads, or led meanwhile."""


class LeaderLock:
    """The lead of one database, from `__enter__` to `__exit__`.

    Args:
        store: of a server.
        stand_by: told in words at each look, twice a second, while another daemon leads or the server is away; None:
            neither is waited for.
    """

    def __init__(self, store: Store, stand_by: Callable[[str], None] | None) -> None:
        self._store = store
        self._stand_by = stand_by
        self._name = f"{socket.gethostname()[:24]}:{os.getpid()} {secrets.token_hex(4)}"
        self._connection: Any = None
        self._confirmed_s = float("-inf")
        self._lost = False
        self.still_ours: Callable[[], bool] = lambda: True
        """Asked when the lock was taken anew: whether nobody led in between."""
        self.trouble = ""
        """Why the server is away, in words."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="ouroboros-lead", daemon=True)

    def __enter__(self) -> Self:
        """Take the lead; stand by until it is free.

        Raises:
            StateError: another daemon leads and it is not to be waited for; or the server refuses us.
            SettingsError: the driver is not installed.
        """
        try:
            while (waits := self._attempt()) is not None:
                self._wait_for(waits)
        except BaseException:
            self._drop()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lead go: the next in line has it within a second."""
        self._closing.set()
        self._thread.join(ANSWER_S + BEAT_S)
        if self._connection is not None and not self._thread.is_alive():
            # A server notices the end of a connection in its own time; told, it has let the lead go when this returns.
            with suppress(StateError), self._faults():
                self._ask("SELECT pg_advisory_unlock_all()")
        self._drop()

    @property
    def state(self) -> LeaderState:
        """As of the last answer of the server."""
        if self._lost:
            return LeaderState.LOST
        return LeaderState.HELD if _clock_s() - self._confirmed_s < SURE_S else LeaderState.AWAY

    def doubt(self, why: str) -> None:
        """A statement on another connection found the server away: nothing starts until this one has asked again."""
        self._confirmed_s, self.trouble = float("-inf"), why

    def _attempt(self) -> StateError | None:
        """Try once; None: it is ours.

        Raises:
            StateError: it makes no sense to try again.
        """
        try:
            leader = self._take()
        except DatabaseAwayError as away:
            self._drop()
            return away
        if leader is None:
            return None
        return StateError(
            f"another daemon leads this database: {leader or 'one that is just starting or ending'}",
            where=self._store.where,
            remedy="`ouroboros up` stands by meanwhile, and takes over when it ends; anything else waits for its end.",
        )

    def _wait_for(self, waits: StateError) -> None:
        if self._stand_by is None:
            raise waits
        self._stand_by(str(waits))
        time.sleep(LOOK_S)

    def _take(self) -> str | None:
        """None: it is ours. Else who has it; "": that changes just now."""
        with self._faults():
            if self._connection is None:
                self._connect()
            if self._ask(_TRY_LOCK)[0]:
                self._ask("SELECT set_config('application_name', %s, false)", f"{_LEADS}{self._name}")
                self._confirmed_s = _clock_s()
                return None
            holder = self._ask(postgresql.HOLDER)
            if holder is None:
                return ""
            backend, name, silent_s = holder
            who = _full(name)
            if who == self._name or (silent_s is not None and silent_s > SILENT_S):
                _log.warning("%s leads and has given no sign for %.1f s: it is put out", who, silent_s or 0.0)
                self._ask("SELECT pg_terminate_backend(%s)", backend)
                return ""
            return _shown(who)

    def _connect(self) -> None:
        try:
            self._connection = postgresql.connect(
                _WAITS.removeprefix("ouroboros ") + self._name,
                server_parameters(self._store.url),
                busy_timeout_s=ANSWER_S,
                limit_s=ANSWER_S,
            )
        except ImportError as error:
            raise postgresql.driver_missing(self._store.where, error) from error
        self._connection.autocommit = True
        encoding = self._ask("SELECT current_setting('server_encoding')")[0]
        if encoding != "UTF8":
            raise StateError(
                f"the database holds text as {encoding}",
                where=self._store.where,
                remedy="Make one with `createdb -E UTF8 -T template0 NAME`.",
            )

    def _ask(self, statement: str, *values: object) -> Any:
        return self._connection.execute(statement, values or None).fetchone()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _beat_on(self) -> None:
        while not self._closing.wait(BEAT_S) and not self._lost:
            try:
                self._beat()
            except StateError as error:
                self.trouble = str(error)
                self._drop()
            except Exception as error:  # noqa: BLE001 - without this thread the daemon would start nothing any more
                self.trouble = str(error)
                _log.exception("The lead cannot be confirmed")
                self._drop()

    def _beat(self) -> None:
        if self._connection is not None:
            with self._faults():
                self._ask("SELECT 1")
            self._confirmed_s, self.trouble = _clock_s(), ""
            return
        self._confirmed_s = float("-inf")  # whatever is left of its time: the lock is gone
        leader = self._take()
        if leader is None and self.still_ours():
            self.trouble = ""
        elif leader != "":  # somebody else leads, or has led meanwhile: what this process knows of the runs is old
            self._lost = True
            self._drop()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            fault = postgresql.server_error(error, self._store.where, ANSWER_S)
            if fault is None:
                raise
            raise fault from error


def daemon_is_running(home: Path, store: Store) -> bool:
    """True while a daemon serves this database, from whatever state folder.

    Raises:
        StateError: it cannot be found out.
    """
    return (
        single_instance.daemon_is_running(home, store.path) if store.is_sqlite else leader_and_stand_bys(store)[0] != ""
    )


def leader_and_stand_bys(store: Store) -> tuple[str, list[str]]:
    """Who leads a server's database ("": nobody) and who waits, each as `HOST:PID`; none of both for a file.

    Raises:
        StateError: it cannot be found out.
    """
    if store.is_sqlite:
        return "", []
    with store.look() as connection:
        holder = connection.exec_driver_sql(postgresql.HOLDER).first()
        waiting = connection.exec_driver_sql(_STAND_BYS).scalars().all()
    return (_shown(_full(holder[1])) if holder else ""), [_shown(_full(name)) for name in waiting]


def _full(name: str) -> str:
    """Without what it is: whoever leads was standing by until a moment ago."""
    return name.removeprefix(_LEADS).removeprefix(_WAITS)


def _shown(name: str) -> str:
    """Without what only tells two of one process apart."""
    return name.partition(" ")[0]


def _clock_s() -> float:
    """Counts while the machine sleeps, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


_LEADS, _WAITS = "ouroboros lead ", "ouroboros stand-by "
_TRY_LOCK = f"SELECT pg_try_advisory_lock({postgresql.LEADER[0]}, {postgresql.LEADER[1]})"
_STAND_BYS = f"""
    SELECT application_name FROM pg_stat_activity
    WHERE datname = current_database() AND starts_with(application_name, '{_WAITS}') ORDER BY backend_start
"""  # noqa: S608 - our words
