"""A look at the machine that may hang or raise: on a thread of its own, left behind where it does not return."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.machine import Unmeasured
from schemas.outside_text import error_line

PATIENCE_S = 2.0
"""How long a caller waits for a look that has always come back; nobody waits for one that is overdue."""
_Figure = TypeVar("_Figure")


@dataclass(slots=True)
class _Attempt(Generic[_Figure]):
    """One call under way, or ended."""

    began_s: float
    done: threading.Event
    figure: _Figure | None = None
    problem: str = ""


class TimedReading(Generic[_Figure]):
    """One figure, or a group of figures that are read together. At most one thread at a time hangs in it.

    Args:
        figure: its name, as the guards say it.
        read: takes the look; whatever it raises is a reason.
        where: says at which place the look stands, for a look that goes to several; "" for nowhere in particular.
    """

    def __init__(
        self,
        figure: str,
        read: Callable[[], _Figure],
        where: Callable[[], str] = lambda: "",
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.figure = figure
        self._read = read
        self._where = where
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._attempt: _Attempt[_Figure] | None = None
        self._failing_since_s: float | None = None

    def take(self) -> tuple[_Figure | None, Unmeasured | None]:
        """The figure now, or why there is none and for how long there has been none. Never raises."""
        with self._lock:
            attempt, patience_s = self._attempt, 0.0
            if attempt is None or attempt.done.is_set():
                try:
                    attempt, patience_s = self._begin(), self._patience_s
                except RuntimeError as error:  # no thread to be had
                    return None, self._failed(str(error), time.monotonic())
            if not attempt.done.wait(patience_s):
                where = self._where()
                waited_s = time.monotonic() - attempt.began_s
                place = f"{where} " if where else ""
                return None, self._failed(f"{place}has not answered for {waited_s:.0f} s", attempt.began_s)
            if attempt.problem:
                return None, self._failed(attempt.problem, attempt.began_s)
            self._failing_since_s = None
            return attempt.figure, None

    def _begin(self) -> _Attempt[_Figure]:
        attempt: _Attempt[_Figure] = _Attempt(time.monotonic(), threading.Event())
        thread = threading.Thread(target=self._run, args=(attempt,), name=f"look-{self.figure}", daemon=True)
        thread.start()
        self._attempt = attempt
        return attempt

    def _run(self, attempt: _Attempt[_Figure]) -> None:
        try:
            attempt.figure = self._read()
        except Exception as error:  # noqa: BLE001 - a look may raise anything; its figure is unknown then
            attempt.problem = error_line(error)
        finally:
            attempt.done.set()

    def _failed(self, reason: str, since_s: float) -> Unmeasured:
        if self._failing_since_s is None:
            self._failing_since_s = since_s
        return Unmeasured(figure=self.figure, reason=reason, for_s=time.monotonic() - self._failing_since_s)
