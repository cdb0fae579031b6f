"""CPU use over a sliding window, from the kernel's counters."""

import logging
import os
import threading
import time
from collections import deque
from pathlib import Path

_log = logging.getLogger(__name__)


class CpuMeter:
    """Means over a window of the CPUs we may use; None until the first window has passed.

    The counters are cumulative, so the mean between two readings is exact whatever happens between them, and a
    reading each `interval_s` only sets how finely the window slides.
    """

    def __init__(self, window_s: float, interval_s: float, stat: Path = Path("/proc/stat")) -> None:
        self._window_s = window_s
        self._interval_s = min(interval_s, window_s)
        self._stat = stat
        self._readings: deque[tuple[float, float, float]] = deque()
        """(monotonic seconds, busy ticks, all ticks), oldest first."""
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="cpu-meter", daemon=True)

    def start(self) -> None:
        """Read in the background from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def read(self, monotonic_s: float) -> None:
        """Take one reading.

        Raises:
            OSError: the kernel's counters cannot be read.
        """
        busy, total = _counters(self._stat, os.sched_getaffinity(0))
        with self._lock:
            self._readings.append((monotonic_s, busy, total))
            # One reading older than the window stays: it is where the window begins.
            while len(self._readings) > 2 and monotonic_s - self._readings[1][0] >= self._window_s:
                self._readings.popleft()

    def percent(self) -> float | None:
        """Mean use over the window, 100 is all CPUs we may use; None until a whole window has been seen."""
        with self._lock:
            if len(self._readings) < 2:
                return None
            (first_s, first_busy, first_all), (last_s, last_busy, last_all) = self._readings[0], self._readings[-1]
        if last_s - first_s < self._window_s or last_all <= first_all:
            return None
        # The kernel's idle counters may step back by a tick: keep the share within its bounds.
        return min(100.0, max(0.0, 100.0 * (last_busy - first_busy) / (last_all - first_all)))

    def _loop(self) -> None:
        while not self._closed.is_set():
            try:
                self.read(time.monotonic())
            except OSError:
                _log.exception("Cannot read %s; CPU use stays unknown until it can be read", self._stat)
            self._closed.wait(self._interval_s)


def _counters(stat: Path, cpus: set[int]) -> tuple[float, float]:
    """Busy and all ticks of these CPUs. Guest time is in user time already; waiting for a disk is idle."""
    busy = total = 0
    for line in stat.read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if not name.startswith("cpu"):
            break
        if name != "cpu" and int(name[3:]) in cpus:
            user, nice, system, idle, iowait, irq, softirq, steal = (int(tick) for tick in ticks[:8])
            used = user + nice + system + irq + softirq + steal
            busy += used
            total += used + idle + iowait
    return float(busy), float(total)
