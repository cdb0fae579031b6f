"""Samples the machine while a run goes on."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger("ouroboros.monitor")


class Monitor:
    """A thread that calls `sample` at intervals until stopped. May be started and stopped any number of times."""

    def __init__(self, sample: Callable[[], None], interval_s: float = 5.0) -> None:
        self._sample, self._interval_s = sample, interval_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it samples."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, unless it samples already."""
        if self.running:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="ouroboros-monitor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until the thread is gone."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def _run(self) -> None:
        while True:
            try:
                self._sample()
            except OSError as error:  # a full disk ends no training by way of its gauge; the next checkpoint tells it
                _log.warning("The machine's use could not be sampled or written: %s", error)
            if self._stop.wait(self._interval_s):
                return
