"""CPU use over a sliding window, from the kernel's counters."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.cgroup import CgroupLimits, read_limits
from schemas.machine import Unmeasured
from schemas.outside_text import error_line

_GRACE_S = 30.0
"""A reading may be late by so much on a machine that is very busy, before it counts as missing."""
_END_S = 2.0
_log = logging.getLogger("ouroboros.guards")


@dataclass(frozen=True, slots=True)
class _Reading:
    """Counters at one instant of the monotonic clock."""

    at_s: float
    busy_ticks: float
    all_ticks: float
    group: CgroupLimits


class CpuMeter:
    """Means over a window of the CPUs we may use; None until the first window has passed.

    With a quota of the control group the higher of two shares counts: how busy the CPUs are, and how much of the
    quota is used. A container may stand still at its quota while its host is idle, and the other way round.

    The counters are cumulative, so the mean between two readings is exact whatever happens between them, and a
    reading each `interval_s` only sets how finely the window slides.
    """

    def __init__(
        self,
        window_s: float,
        interval_s: float,
        stat: Path = Path("/proc/stat"),
        limits: Callable[[], CgroupLimits] = read_limits,
    ) -> None:
        self._window_s = window_s
        self._interval_s = min(interval_s, window_s)
        self._stat = stat
        self._limits = limits
        self._readings: deque[_Reading] = deque()  # oldest first
        self._problem = ""
        """Why the last reading failed."""
        self._due_at_s: float | None = None
        """A figure is expected from then on; None: nothing reads."""
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="cpu-meter", daemon=True)

    def use(self, window_s: float, interval_s: float) -> None:
        """Take another window and interval; after a longer window is set, the figure is None until it has passed."""
        with self._lock:
            if window_s > self._window_s and self._due_at_s is not None:
                self._due_at_s = time.monotonic() + window_s + _GRACE_S
            self._window_s, self._interval_s = window_s, min(interval_s, window_s)

    def start(self) -> None:
        """Read in the background from now on."""
        self._due_at_s = time.monotonic() + self._window_s + _GRACE_S
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)  # a reading may hang

    def read(self, monotonic_s: float) -> None:
        """Take one reading.

        Raises:
            OSError: the kernel's counters cannot be read.
        """
        busy, total = _counters(self._stat, os.sched_getaffinity(0))
        group = self._limits()
        with self._lock:
            self._readings.append(_Reading(monotonic_s, busy, total, group))
            # One reading older than the window stays: it is where the window begins.
            while len(self._readings) > 2 and monotonic_s - self._readings[1].at_s >= self._window_s:
                self._readings.popleft()

    def percent(self, monotonic_s: float | None = None) -> float | None:
        """Mean use over the window, 100 is all CPUs we may use; None until a whole window has been seen.

        Args:
            monotonic_s: the time, for a meter that reads by itself: where it has stopped doing so, the answer is None.
        """
        with self._lock:
            if len(self._readings) < 2:
                return None
            first, last = self._readings[0], self._readings[-1]
        if monotonic_s is not None and monotonic_s - last.at_s > self._interval_s + _GRACE_S:
            return None
        if last.at_s - first.at_s < self._window_s or last.all_ticks <= first.all_ticks:
            return None
        share = max(
            (last.busy_ticks - first.busy_ticks) / (last.all_ticks - first.all_ticks), _quota_share(first, last)
        )
        # The kernel's idle counters may step back by a tick, and a quota may be overdrawn for a moment.
        return 100.0 * min(1.0, max(0.0, share))

    def unmeasured(self, monotonic_s: float) -> Unmeasured | None:
        """Why there is no figure where there should be one by now; None where all is well, or nothing reads."""
        due_at_s = self._due_at_s
        if due_at_s is None or monotonic_s < due_at_s or self.percent(monotonic_s) is not None:
            return None
        with self._lock:
            last_s = self._readings[-1].at_s if self._readings else due_at_s
        reason = self._problem or "the kernel's counters do not answer, or do not move"
        return Unmeasured(figure="cpu", reason=reason, for_s=max(0.0, monotonic_s - max(due_at_s, last_s)))

    def _loop(self) -> None:
        while not self._closed.is_set():
            try:
                self.read(time.monotonic())
            except Exception as error:  # noqa: BLE001 - whatever the counters hold: the figure is lost, never the thread
                if not self._problem:
                    _log.exception("Cannot read %s; CPU use stays unknown until it can be read", self._stat)
                self._problem = error_line(error)
            else:
                self._problem = ""
            self._closed.wait(self._interval_s)


def _quota_share(first: _Reading, last: _Reading) -> float:
    """Share of the group's quota that was used; 0 without a quota."""
    used_s, before_s, cores = last.group.cpu_used_s, first.group.cpu_used_s, last.group.cpu_cores
    if used_s is None or before_s is None or cores is None:
        return 0.0
    return (used_s - before_s) / (cores * (last.at_s - first.at_s))


def _counters(stat: Path, cpus: set[int]) -> tuple[float, float]:
    """Busy and all ticks of these CPUs. Guest time is in user time already; waiting for a disk is idle.

    In a system container (LXC) the file lists its own CPUs alone, numbered anew, while the kernel names ours by the
    host's numbers: where one of ours is missing, all that are listed are ours.
    """
    listed = dict(_ticks_by_cpu(stat.read_text(encoding="ascii")))
    ours = [listed[number] for number in cpus] if listed.keys() >= cpus else list(listed.values())
    busy = sum(used for used, _ in ours)
    return float(busy), float(busy + sum(idle for _, idle in ours))


def _ticks_by_cpu(text: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """Number of a CPU, its busy and its idle ticks."""
    for line in text.splitlines():
        name, *ticks = line.split()
        if not name.startswith("cpu"):
            return
        if name != "cpu":
            user, nice, system, idle, iowait, irq, softirq, steal = (int(tick) for tick in ticks[:8])
            yield int(name[3:]), (user + nice + system + irq + softirq + steal, idle + iowait)
