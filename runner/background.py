"""Threads beside the daemon's loop, each with a sign of life; one that dies is reported and started again,
the later the more often it has died without doing a single turn in between."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.clock import Clock
from runner.store import heartbeat
from runner.store.engine import Store
from schemas.errors import StateError
from schemas.outside_text import error_line

BEAT_INTERVAL_S = 60.0
FIRST_RESTART_S = 1.0
LONGEST_RESTART_S = 300.0
_log = logging.getLogger("ouroboros.background")


@dataclass
class Background:
    """Calls `turn` again and again on a thread of its own.

    Args:
        turn: does what is due now and returns after how many seconds to be called again.
        hung_after_s: a single turn that lasts longer is reported as hung (a thread cannot be ended from outside).
    """

    name: str
    turn: Callable[[], float]
    hung_after_s: float
    clock: Clock
    store: Store
    wake: threading.Event = field(default_factory=threading.Event)
    _stopping: bool = False
    _thread: threading.Thread | None = None
    _turn_began_s: float | None = None
    _last_error: str = ""
    _beaten_at_s: float = float("-inf")
    _reported_hung: bool = False
    _deaths: int = 0
    """Without a whole turn in between."""
    _restart_at_s: float | None = None

    def start(self) -> None:
        """Begin to turn."""
        self._restart_at_s = None
        self._stopping, self._last_error, self._turn_began_s, self._reported_hung = False, "", None, False
        self._thread = threading.Thread(target=self._run, name=f"ouroboros-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end and wait; False if it still works then."""
        self._stopping = True
        self.wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def supervise(self) -> str:
        """Called by the daemon's loop. Says what was wrong, once ("" when well); starts a dead thread again in time."""
        now_s = self.clock.monotonic_s()
        if self._thread is not None and not self._thread.is_alive() and not self._stopping:
            return self._see_to_dead(now_s)
        began_s = self._turn_began_s
        if began_s is not None and now_s - began_s > self.hung_after_s and not self._reported_hung:
            self._reported_hung = True
            return f"it has been at one turn for {now_s - began_s:.0f} s"
        if began_s is None:
            self._reported_hung = False
        return ""

    def _see_to_dead(self, now_s: float) -> str:
        if self._restart_at_s is not None:
            if now_s >= self._restart_at_s:
                self.start()
            return ""
        delay_s = min(FIRST_RESTART_S * 2.0 ** min(self._deaths, 30), LONGEST_RESTART_S)
        self._deaths += 1
        self._restart_at_s = now_s + delay_s
        return f"it died and is started again in {delay_s:.0f} s: {self._last_error or 'it ended without a word'}"

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn_began_s = self.clock.monotonic_s()
                patience_s = self.turn()
                self._turn_began_s, self._deaths = None, 0
                self._beat()
                self.wake.wait(patience_s)
                self.wake.clear()
        except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor reports it and starts anew
            self._last_error = error_line(error)
            _log.exception("The loop %s died", self.name)

    def _beat(self) -> None:
        now_s = self.clock.monotonic_s()
        if now_s - self._beaten_at_s < BEAT_INTERVAL_S:
            return
        self._beaten_at_s = now_s
        try:
            with self.store.write() as session:
                heartbeat.loop_beat(session, self.name, self.clock.now())
        except StateError as error:
            _log.warning("The loop %s could not give its sign of life: %s", self.name, error)
