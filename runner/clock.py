"""The one place that asks the clocks, so that a test can give the daemon others; what a look at them shows; and the
sleep that other threads and signal handlers end.

The wall clock may be wrong: set ahead or back by hand or by NTP. The kernel has two that never step: one counts while
the machine sleeps (CLOCK_BOOTTIME, `elapsed_s`), one does not (CLOCK_MONOTONIC, `monotonic_s`); their difference is how
long it has slept. Where the wall clock moved by more or less than time passed, it was set.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Protocol

SMALLEST_STEP_S = 2.0
"""A smaller step delays or repeats nothing that anybody would notice; NTP slews by less."""
SHORTEST_SLEEP_S = 60.0
_AT_ONCE_S = 0.2
_TRIES = 5


class Clock(Protocol):
    """Instants for what is written down, monotonic counts for how long things take."""

    def now(self) -> datetime:
        """The instant, aware UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never steps; it stands still while the machine sleeps."""
        ...

    def elapsed_s(self) -> float:
        """Seconds on a clock that never steps and goes on while the machine sleeps."""
        ...

    def slept_s(self) -> float:
        """Seconds that the machine has slept since it started."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock; it may step."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """`time.monotonic`."""
        return time.monotonic()

    def elapsed_s(self) -> float:
        """CLOCK_BOOTTIME."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def slept_s(self) -> float:
        """The difference of the two; right to some microseconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """All of them at one moment."""

    wall: datetime
    elapsed_s: float
    slept_s: float


@dataclass(frozen=True, slots=True)
class ClockChange:
    """What happened to the wall clock, or to the machine, between two readings."""

    step_s: float
    """By so much the wall clock was set; negative: back; 0: it was not."""
    slept_s: float
    """So long the machine slept; 0: it did not."""


def read(clock: Clock) -> ClockReading:
    """A reading whose parts belong together: a process that is stopped between two of them reads again."""
    for _ in range(_TRIES):
        before_s = clock.elapsed_s()
        reading = ClockReading(clock.now(), before_s, clock.slept_s())
        if clock.elapsed_s() - before_s < _AT_ONCE_S:
            break
    return reading


def change(before: ClockReading, after: ClockReading) -> ClockChange | None:
    """What happened in between; None: nothing worth a word."""
    elapsed_s = after.elapsed_s - before.elapsed_s
    step_s = (after.wall - before.wall).total_seconds() - elapsed_s
    slept_s = after.slept_s - before.slept_s
    seen = ClockChange(
        step_s=step_s if abs(step_s) >= SMALLEST_STEP_S else 0.0,
        slept_s=slept_s if slept_s >= SHORTEST_SLEEP_S else 0.0,
    )
    return seen if seen.step_s or seen.slept_s else None


class WakeEvent:
    """Like `threading.Event`, but `set` may be called in a signal handler.

    `Event.set` takes a lock, which the very code that the signal interrupted may hold: the handler would wait for ever.
    `SimpleQueue.put` is documented as reentrant.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wake the sleeper, or the next one who would go to sleep. Never waits."""
        self._calls.put(None)

    def sleep(self, timeout_s: float) -> None:
        """Until `set` is called, or was called since the last sleep; at most `timeout_s`."""
        try:
            self._calls.get(timeout=max(0.0, timeout_s))
            while True:
                self._calls.get_nowait()
        except Empty:
            return
