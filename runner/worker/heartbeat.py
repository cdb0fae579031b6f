"""The worker's second thread: heartbeat, progress and the stop file. It is also what a job is given as its context."""

import logging
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from runner.worker.run_folder import Heartbeat, RunDir
from schemas.execution import ProcessIdentity
from schemas.model import PipelineState
from schemas.outside_text import error_line

_log = logging.getLogger(__name__)
LOOK_INTERVAL_S = 0.5
"""The stop file is noticed, and the newest state written, this often."""
_PROGRESS_INTERVAL_S = 0.25


class HeartbeatThread:
    """Beats from `start` to `close`; a `JobContext`.

    A full disk costs heartbeats and states, never the run: each failure is logged once until writing works again.
    """

    def __init__(self, run_dir: RunDir, identity: ProcessIdentity, interval_s: float) -> None:
        self._dir = run_dir
        self._identity = identity
        self._interval_s = interval_s
        self._beat = 0
        self._stop = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._state: PipelineState | None = None
        self._unwritten = False
        self._written_s = float("-inf")
        self._failing: set[str] = set()
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)

    @property
    def run_dir(self) -> Path:
        """The folder of this run."""
        return self._dir.path

    @property
    def log_path(self) -> Path:
        """Where all that this process prints is kept."""
        return self._dir.log_path

    @property
    def last_state(self) -> PipelineState:
        """The state last told, an empty one before the first."""
        return self._state or PipelineState()

    def start(self) -> None:
        """Write the first heartbeat, then go on in the background."""
        self._write_heartbeat()
        self._thread.start()

    def close(self) -> None:
        """The last state is on the disk afterwards, and nothing more is written."""
        self._closed.set()
        self._thread.join()
        with self._lock:
            self._write_state()

    def report(self, state: PipelineState) -> None:
        """Tell the state; at most four a second reach the disk, and always the newest."""
        if state.updated_at is None:
            state = state.model_copy(update={"updated_at": datetime.now(UTC)})
        with self._lock:
            self._state, self._unwritten = state, True
            if time.monotonic() - self._written_s >= _PROGRESS_INTERVAL_S:
                self._write_state()

    def stop_requested(self) -> bool:
        """True from the first TERM, or at most a second after the stop file appeared."""
        return self._stop.is_set()

    def request_stop(self) -> None:
        """Called by the signal handler; only sets a flag."""
        self._stop.set()

    def _loop(self) -> None:
        beaten_s = time.monotonic()
        while not self._closed.wait(min(LOOK_INTERVAL_S, self._interval_s)):
            if os.path.exists(self._dir.stop_path):  # noqa: PTH110 - never raises, whatever became of the folder
                self._stop.set()
            if time.monotonic() - beaten_s >= self._interval_s:
                beaten_s = time.monotonic()
                self._write_heartbeat()
            with self._lock:
                self._write_state()

    def _write_heartbeat(self) -> None:
        self._beat += 1
        heartbeat = Heartbeat(worker=self._identity, beat=self._beat, monotonic_s=time.monotonic())
        try:
            self._dir.write_heartbeat(heartbeat)
        except OSError as error:
            self._complain("heartbeat", error)
        else:
            self._failing.discard("heartbeat")

    def _write_state(self) -> None:
        if not self._unwritten or self._state is None:
            return
        self._written_s = time.monotonic()
        try:
            self._dir.write_progress(self._state)
        except Exception as error:  # noqa: BLE001 - a full disk; a state that a job copied anything into
            self._complain("progress", error)
        else:
            self._unwritten = False
            self._failing.discard("progress")

    def _complain(self, what: str, error: Exception) -> None:
        if what not in self._failing:
            self._failing.add(what)
            _log.error("Cannot write the %s of this run (%s); it is tried again and again", what, error_line(error))
