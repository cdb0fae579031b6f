"""The one place that asks the clock, so that a test can give the daemon another."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Instants for what is written down, a monotonic count for how long things take."""

    def now(self) -> datetime:
        """The instant, aware UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never steps."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock; it may step."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """`time.monotonic`."""
        return time.monotonic()
