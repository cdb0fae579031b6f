import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.worker.launch import Launcher
from runner.worker.process_tree import process_table
from runner.worker.stopping import StopReason
from schemas.automation import TriggerType
from schemas.execution import RunRequest
from schemas.service import WorkerSettings
from schemas.settings import Settings
from schemas.training import TrainingConfiguration

PROCESS_TESTS = Path(__file__).parents[2] / "process"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUICK = WorkerSettings(heartbeat_interval_s=0.1, sample_interval_s=0.1, nice=3)


@pytest.fixture
def until():
    """Wait for a condition; fails after a deadline that only a broken program reaches."""

    def wait(condition, what, deadline_s=60.0):
        end = time.monotonic() + deadline_s
        pause = threading.Event()
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, f"never came: {what}"
            pause.wait(0.01)

    return wait


@pytest.fixture
def request_for():
    def make(worker, workers=QUICK):
        return RunRequest(
            execution_id=17,
            schedule_name="nightly",
            trigger_type=TriggerType.SCHEDULED,
            scheduled_for=NOW,
            attempt=1,
            worker=worker,
            worker_reason="a test asks for it",
            training_config=TrainingConfiguration(),
            deadline=NOW + timedelta(hours=8),
            seed=4711,
            settings=Settings(workers=workers),
        )

    return make


@pytest.fixture
def jobs_importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROCESS_TESTS))


@pytest.fixture
def bench(jobs_importable, request_for, tmp_path, until):
    """Launches workers, waits for their end, and leaves none behind."""
    return_bench = Bench(request_for, tmp_path, until)
    yield return_bench
    return_bench.close()


class Bench:
    def __init__(self, request_for, folder, until):
        self._request_for, self._folder, self._until = request_for, folder, until
        self.launcher = Launcher(QUICK)
        self._handles = []

    def use(self, settings):
        self.launcher = Launcher(settings)

    def start(self, job, workers=QUICK):
        run_dir = self._folder / f"run-{len(self._handles)}"
        name = job if ":" in job or job.startswith("=") else f"worker_jobs:{job}"
        handle = self.launcher.launch(self._request_for(name.lstrip("="), workers), run_dir, time.monotonic())
        self._handles.append((self.launcher, handle))
        return handle

    def adopt(self, run_dir):
        handle = self.launcher.adopt(run_dir, time.monotonic())
        if handle is not None:
            self._handles.append((self.launcher, handle))
        return handle

    def look(self, handle):
        return self.launcher.observe(handle, time.monotonic())

    def end_of(self, handle):
        return self._until(lambda: (seen := self.look(handle)).ended and seen, "the worker's end")

    def run(self, job, workers=QUICK):
        return self.end_of(self.start(job, workers))

    def working(self, handle):
        self._until(lambda: self.look(handle).state is not None, "the job's first state")
        return handle

    def pids_of(self, handle):
        path = handle.run_dir.path / "pids.json"
        self._until(path.exists, "the family's numbers")
        return json.loads(path.read_text())

    def close(self):
        for launcher, handle in self._handles:
            launcher.kill(handle, StopReason.CANCEL)
            if handle.ours:
                self._until(
                    lambda h=handle, la=launcher: la.observe(h, time.monotonic()).ended, "the end of a killed one"
                )
            launcher.release(handle)


@pytest.fixture
def is_there():
    """True while a process of this number lives (a zombie does not)."""

    def look(pid):
        entry = process_table().get(pid)
        return entry is not None and not entry.ended

    return look


@pytest.fixture
def environment():
    return {**os.environ, "PYTHONPATH": str(PROCESS_TESTS)}
