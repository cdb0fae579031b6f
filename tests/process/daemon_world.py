"""A daemon with a clock and a GPU of our own; everything else is real: database, worker processes, files."""

import json
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text

from migrations.upgrade import upgrade
from runner import schedule_service
from runner.leader import LeaderState
from runner.service import Service
from runner.store import queue
from runner.store.engine import Store
from schemas.automation import TrainingSchedule
from schemas.database import sqlite_file, sqlite_url
from schemas.errors import DatabaseAwayError, LeadershipLostError
from schemas.execution import ExecutionResult
from schemas.files import write_atomic
from schemas.machine import GpuFinding, GpuState, GuardSettings, ResourceRequirements
from schemas.notification import NotificationSettings
from schemas.service import SchedulerSettings, StorageSettings, WorkerSettings
from schemas.settings import Settings
from schemas.times import from_text, to_text
from schemas.training import TrainingConfiguration

ANY_MACHINE = ResourceRequirements(min_free_memory_gb=0, min_free_disk_gb=0, max_cpu_usage_percent=100)
LOOK_S = 0.05  # a turn takes about as long, and its processor is the one that a worker of the test waits for
DEADLINE_S = 90.0


class SimulatedClock:
    """Wall time as the test says, kept in a file so that the next life goes on from there; durations are real."""

    def __init__(self, file: Path, start: datetime) -> None:
        self._file = file
        self.instant = from_text(file.read_text()) if file.exists() else start
        self.set_by = timedelta()
        """By so much the clock was set, instead of time passing."""
        self.slept = 0.0
        self.waited_s = 0.0
        """Durations that a test need not sit through."""

    def now(self) -> datetime:
        return self.instant

    def monotonic_s(self) -> float:
        return time.monotonic() + self.waited_s

    def elapsed_s(self) -> float:
        return (self.instant - self.set_by).timestamp()

    def slept_s(self) -> float:
        return self.slept

    def step(self, by: timedelta) -> None:
        """Somebody sets it."""
        self.set_by += by
        self.advance(by)

    def advance(self, step: timedelta) -> None:
        self.instant += step
        write_atomic(self._file, to_text(self.instant))


class NoGpu:
    """A machine without a GPU, or with the one it is given."""

    def __init__(self, state: GpuState | None = None) -> None:
        self.state = state or GpuState(finding=GpuFinding.ABSENT, detail="a test without a GPU")

    def look(self, own_pids: Collection[int] = ()) -> GpuState:
        return self.state

    def use_of(self, pids: set[int]) -> None:
        return None


class Pigeon:
    """The user's own notification system: a line for each ended run."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def send_training_completion_notification(self, result: ExecutionResult) -> None:
        with self._file.open("a") as handle:
            handle.write(f"{result.execution_id} {result.outcome.value}\n")


DATABASE_VARIABLE = "OUROBOROS_TESTS_DATABASE_URL"
"""Another database than a file in the state folder, for all lives of a test."""


def settings_for(home: Path) -> Settings:
    return Settings(
        home=home,
        storage=StorageSettings(database_url=os.environ.get(DATABASE_VARIABLE, "")),
        guards=GuardSettings(cpu_window_s=0.01, cpu_sample_interval_s=0.01, retry_interval_s=0.01),
        workers=WorkerSettings(
            heartbeat_interval_s=0.2, sample_interval_s=0.2, soft_stop_timeout_s=20, term_timeout_s=1, nice=0
        ),
        scheduler=SchedulerSettings(drain_timeout_s=20),
        notifications=NotificationSettings(emails=["a@example.com"], max_messages_per_hour=100_000),
    )


def schedule(name: str, cron: str, job: str = "ledger", **fields: object) -> TrainingSchedule:
    given: dict[str, object] = {
        "resource_requirements": ANY_MACHINE,
        "training_config": TrainingConfiguration(max_training_time_hours=1),
        "worker": f"daemon_jobs:{job}",
        "retry_backoff_s": 1,
    }
    return TrainingSchedule(name=name, cron_expression=cron, **{**given, **fields})


@cache
def empty_history() -> bytes:
    """A database as an upgrade makes it, made once for this process and those that it forks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        store = Store(sqlite_url(path), 30)
        upgrade(store, 1, datetime(2026, 1, 1, tzinfo=UTC))
        store.checkpoint()
        store.close()
        return path.read_bytes()


class World:
    """One life of a daemon, turned by hand."""

    def __init__(
        self,
        home: Path,
        start: datetime,
        *,
        reach: Callable[[str], None] | None = None,
        gpu: GpuState | None = None,
        settings: Settings | None = None,
        own_notifications: bool = True,
        upgrade_by_child: bool = False,
        clock_file: Path | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.clock = SimulatedClock(clock_file or home / "simulated_now", start)
        pigeon = Pigeon(home / "pigeon.txt") if own_notifications else None
        wanted = settings or settings_for(home)
        self.service = Service(
            wanted, self.clock, NoGpu(gpu), pigeon, seed_defaults=False, stand_by=lambda _words: None
        )
        self._reach = reach
        elsewhere = wanted.storage.database_url
        if elsewhere and not (home / "settings.json").exists():  # for the commands that are typed beside it
            write_atomic(home / "settings.json", json.dumps({"storage": {"database_url": elsewhere}}))
        if not upgrade_by_child:
            self._make_database(wanted)

    def __enter__(self) -> "World":
        self.service.__enter__()
        self.daemon = self.service.daemon
        self.store = self.service.store
        if self._reach is not None:
            self.service.runtime.reach = self._reach
            self.service.dispatcher.reach = self._reach
        return self

    def _make_database(self, settings: Settings) -> None:
        """A copy: the daemon's own upgrade would cost each of the many tests a second, and is tested elsewhere."""
        path = sqlite_file(settings.database_url)
        if path is not None and not path.exists():
            path.write_bytes(empty_history())

    def __exit__(self, *_: object) -> None:
        self.service.__exit__(None, None, None)

    def save(self, *schedules: TrainingSchedule) -> None:
        with self.store.write() as session:
            for item in schedules:
                schedule_service.save_schedule(session, item, self.clock.now())

    def start(self) -> None:
        self.daemon.start(self.clock.now())

    def turn(self) -> None:
        """One of the daemon's; as `ouroboros up`, what does not lead any more raises."""
        self.daemon.tick(self.clock.now())
        if isinstance(self.daemon.lost, LeadershipLostError):
            raise self.daemon.lost
        if not self._is_away():
            self.service.deliver()

    def turn_until(self, condition: Callable[[], object], what: str) -> None:
        """Turn, in real time, until a condition holds."""
        end_s = time.monotonic() + DEADLINE_S
        pause = threading.Event()
        while True:
            self.turn()
            if condition():
                return
            assert time.monotonic() < end_s, f"never came: {what}"
            pause.wait(LOOK_S)

    def is_quiet(self) -> bool:
        """Nothing runs and nothing is ready to run, as far as the database tells."""
        try:
            with self.store.read() as session:
                waiting = queue.waiting(session, self.clock.now(), 1)
        except DatabaseAwayError:
            return False
        return not self._is_away() and not self.daemon.steps.watch.runs and not waiting

    def _is_away(self) -> bool:
        lead = self.service.lead
        return lead is not None and lead.state is not LeaderState.HELD

    def live_until(self, end: datetime, step: timedelta) -> None:
        """Let simulated time pass; it stands still while anything runs or could run."""
        while self.clock.now() < end:
            self.turn_until(self.is_quiet, "quiet")
            self.clock.advance(step)
        self.turn_until(self.is_quiet, "quiet at the end")
        while self.left_in_queue():  # retries that are not ready yet
            self.clock.advance(step)
            self.turn_until(self.is_quiet, "quiet after the end")

    def left_in_queue(self) -> int:
        """How many wait, ready or not."""
        with self.store.read() as session:
            return queue.depth(session)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the history answers, whichever database it is in."""
        with self.store.read() as session:
            return [tuple(row) for row in session.execute(text(query))]

    def lines(self, name: str) -> list[list[str]]:
        """The words of each line of a file in the state folder."""
        path = self.home / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def die_at(point: str, nth: int) -> Callable[[str], None]:
    """SIGKILL this process when `point` is reached for the `nth` time."""
    seen = 0

    def reach(reached: str) -> None:
        nonlocal seen
        if reached == point:
            seen += 1
            if seen == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    return reach
