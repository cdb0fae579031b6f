"""What goes wrong in the daemon's own steps and threads: told once each, as soon as the database takes it.

A trouble of the database itself cannot be written down while it lasts. It is kept here and told at the first turn
that can, also when it is over by then.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime

from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.store import heartbeat
from schemas.errors import StateError
from schemas.outside_text import error_line

_log = logging.getLogger("ouroboros.errors")


@dataclass(frozen=True, slots=True)
class _Untold:
    text: str
    since: datetime
    restarted: bool


class ErrorReporter:
    """Which steps are in trouble now, and which troubles nobody has been told of yet."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._standing: dict[str, str] = {}
        self._untold: dict[str, _Untold] = {}

    @property
    def any(self) -> bool:
        """A step's last turn failed."""
        return bool(self._standing)

    def note(self, name: str, error: Exception, now: datetime) -> None:
        """A step's turn failed. The same trouble again is told once."""
        text = error_line(error)
        if self._standing.get(name) == text:
            return
        self._standing[name] = text
        _log.error("The step %s failed: %s", name, text, exc_info=error)
        self._untold[name] = _Untold(text, now, restarted=False)

    def note_thread(self, name: str, text: str, now: datetime) -> None:
        """A thread died, and is started again, or hangs."""
        _log.error("The loop %s: %s", name, text)
        self._untold[name] = _Untold(text, now, restarted=True)

    def over(self, name: str) -> None:
        """A step's turn went well."""
        if self._standing.pop(name, None) is not None:
            _log.info("The step %s works again", name)

    def tell(self) -> None:
        """A row and a message for each trouble not told of yet; what the database does not take waits."""
        if not self._untold:
            return
        settings = self._runtime.settings.notifications
        try:
            with self._runtime.store.write() as session:
                for name, untold in self._untold.items():
                    record = heartbeat.loop_restarted if untold.restarted else heartbeat.loop_error
                    record(session, name, untold.text, untold.since)
                    message = messages.alert(
                        subject=f"trouble with the daemon's {name}",
                        detail=untold.text,
                        advice="It goes on by itself; `ouroboros doctor` looks for the cause.",
                        key=_key(untold),
                        settings=settings,
                        now=untold.since,
                    )
                    self._runtime.notifier.put(session, message, untold.since)
        except StateError as unwritable:
            _log.warning("What went wrong cannot be recorded yet: %s", unwritable)
            return
        self._untold.clear()


def _key(untold: _Untold) -> str:
    """One message an hour for one trouble, however many steps meet it: a full disk stops them all."""
    text = hashlib.sha256(untold.text.encode()).hexdigest()[:12]
    return f"{text}-{untold.since:%Y%m%dT%H}"
