"""What every step of the flow stands on: settings, store, clock, notifier, and whether there is anything new to do.

The database holds nothing new while nobody has committed anything since the last whole turn and none of the instants
that the rows wait for has come. Asking costs microseconds and opens no transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from runner.clock import Clock
from runner.leader import LeaderLock
from runner.notify.dispatcher import Notifier
from runner.store import due_schedules, queue
from runner.store.engine import Store
from schemas.errors import StateError
from schemas.settings import Settings

REFUSED_LOOK_S = 3.0
"""A run that the machine does not allow yet is looked at again at least this often, and rows are written of it every
`guards.retry_interval_s`."""


def _nowhere(_point: str) -> None:
    """The daemon's own runs reach no crash point."""


@dataclass
class Runtime:
    """Shared by all steps; `settings` is replaced as a whole when they are read again."""

    settings: Settings
    store: Store
    clock: Clock
    notifier: Notifier
    lead: LeaderLock | None = None
    """Of a database on a server; None for a file, whose lock is never lost."""
    reach: Callable[[str], None] = _nowhere
    """Called with a name at each point where a kill must lose nothing; tests kill there."""

    def __post_init__(self) -> None:
        """One idle check for all steps."""
        self.idle = IdleCheck(self.store, self.clock.monotonic_s, self._look_again_s)

    def _look_again_s(self) -> float:
        return min(self.settings.guards.retry_interval_s, REFUSED_LOOK_S)


class IdleCheck:
    """Begun and ended by the loop, once a turn; the steps ask it in between."""

    def __init__(self, store: Store, monotonic_s: Callable[[], float], look_again_s: Callable[[], float]) -> None:
        self._store = store
        self._monotonic_s = monotonic_s
        self._look_again_s = look_again_s
        """After so long a run that may start, but for the machine, is looked at again."""
        self._next_look_s = float("inf")
        self._whole = True
        self._next_whole = True
        self._next_instant: datetime | None = None
        self._last_turn: datetime | None = None

    def begin_turn(self, now: datetime, *, whole: bool) -> None:
        """Find out what kind of turn this is; `whole`: let no step rest, whatever the database says."""
        set_back = self._last_turn is not None and now < self._last_turn
        due = self._next_instant is not None and now >= self._next_instant
        # `changed` is asked in any case: what it tells must not be told again to the next turn.
        again = self._monotonic_s() >= self._next_look_s
        self._whole = self._changed() or whole or self._next_whole or set_back or due or again
        self._next_whole, self._last_turn = False, now

    @property
    def nothing_new(self) -> bool:
        """Nothing new: a step that only reads the database may rest.

        What is committed in the middle of a turn makes it a whole one for the steps after it, and the next turn too.
        """
        if not self._whole and self._changed():
            self._whole = self._next_whole = True
        return not self._whole

    def end_turn(self, now: datetime) -> None:
        """After the steps: remember until when the rows are content to wait.

        Raises:
            StateError: the database cannot be read; the next turn is a whole one.
        """
        if not self._whole:
            return
        self._next_whole = True
        with self._store.read() as session:
            found = (
                due_schedules.next_due(session),
                queue.next_not_before(session, now),
                queue.next_start_deadline(session),
            )
            waits = bool(queue.waiting(session, now, 1))
        instants = [instant for instant in found if instant is not None]
        self._next_instant = min((instant for instant in instants if instant > now), default=None)
        # A run still waiting was refused by what no row tells of: the machine. What else is due is looked at each turn.
        self._next_look_s = self._monotonic_s() + self._look_again_s() if waits else float("inf")
        self._next_whole = any(instant <= now for instant in instants)

    def left_s(self, now: datetime) -> float:
        """Seconds until the next instant that a row waits for; infinite if none does."""
        if self._next_instant is None:
            return float("inf")
        return max(0.0, (self._next_instant - now).total_seconds())

    def _changed(self) -> bool:
        try:
            return self._store.changed()
        except StateError:
            return True  # the steps meet the same trouble, and tell of it
