"""What every step of the flow stands on: settings, store, clock, and the way out for messages."""

from collections.abc import Callable
from dataclasses import dataclass

from runner.clock import Clock
from runner.flow.idle_check import IdleCheck
from runner.lead import Lead
from runner.notify.outbound import Outbound
from runner.store.engine import Store
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
    outbound: Outbound
    lead: Lead | None = None
    """Of a database on a server; None for a file, whose lock is never lost."""
    reach: Callable[[str], None] = _nowhere
    """Called with a name at each point where a kill must lose nothing; tests kill there."""

    def __post_init__(self) -> None:
        """One idle check for all steps."""
        self.idle = IdleCheck(self.store, self.clock.monotonic_s, self._look_again_s)

    def _look_again_s(self) -> float:
        return min(self.settings.guards.retry_interval_s, REFUSED_LOOK_S)
