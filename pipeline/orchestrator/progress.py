"""The state of a run as others see it (on disk for any process, by callbacks), and what samples the machine for it."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from pipeline.machine_figures import measured
from schemas.files import write_atomic
from schemas.model import PipelineState

STATE_FILE = "state.json"
_WRITE_EVERY_S = 1.0
_log = logging.getLogger("ouroboros.pipeline")
_monitor_log = logging.getLogger("ouroboros.monitor")


class RunProgress:
    """Keeps the `PipelineState`, writes it at most once a second (at once when the status or phase changes), and
    tells it to whoever asked.

    Args:
        folder: where `state.json` is written.
        listeners: called with each new state, from the thread that made it.
    """

    def __init__(
        self, folder: Path, now: Callable[[], datetime], listeners: tuple[Callable[[PipelineState], None], ...] = ()
    ) -> None:
        self.state = PipelineState()
        self._folder, self._now, self._listeners = folder, now, listeners
        self._written_at = -_WRITE_EVERY_S
        self._turn = threading.RLock()  # the trainer and the monitor change different fields of one state

    def change(self, **fields: Any) -> PipelineState:
        """Set fields of the state, then write and tell it."""
        with self._turn:
            former = self.state
            self.state = state = PipelineState.model_validate(
                former.model_dump() | fields | {"updated_at": self._now()}
            )
            moved = (former.status, former.current_phase) != (state.status, state.current_phase)
            if moved or time.monotonic() - self._written_at >= _WRITE_EVERY_S:
                self.write()
        for listener in self._listeners:
            listener(state)
        return state

    def write(self) -> None:
        """Write the state now; OSError if the disk does not take it."""
        write_atomic(self._folder / STATE_FILE, self.state.model_dump_json(indent=2) + "\n")
        self._written_at = time.monotonic()


def read_state(folder: Path) -> PipelineState:
    """The state as last written; IDLE where none was, or where the file is damaged (the log says so)."""
    path = folder / STATE_FILE
    try:
        return PipelineState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return PipelineState()
    except (OSError, ValidationError) as error:
        _log.warning("The pipeline's last state cannot be read (%s): %s", path, error)
        return PipelineState()


def machine_use(folder: Path) -> dict[str, float | None]:
    """CPU, memory and disk use in percent, as fields of `PipelineState`; None for what the machine does not tell: no
    training ends for want of a figure beside it."""
    return {
        "cpu_usage_percent": measured(psutil.cpu_percent),
        "memory_usage_percent": measured(lambda: psutil.virtual_memory().percent),
        "disk_usage_percent": measured(lambda: psutil.disk_usage(str(folder)).percent),
    }


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
                _monitor_log.warning("The machine's use could not be sampled or written: %s", error)
            if self._stop.wait(self._interval_s):
                return
