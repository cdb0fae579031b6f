"""The web process's application over a real state folder, answered over real HTTP on a port of its own."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn

from migrations.upgrade import upgrade
from runner import schedule_service
from runner.service import Service
from runner.store import history, queue
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.web.app import create_app
from runner.web.site import open_site
from schemas.automation import TrainingSchedule
from schemas.execution import ExecutionResult, FailureClass, Outcome, RunFailure
from schemas.model import PipelineState
from schemas.settings import Settings

DEADLINE_S = 60.0
SECRET = b"a secret of thirty-two bytes ...."
MEASURED = PipelineState(
    best_win_rate=0.61, best_win_rate_low=0.58, best_win_rate_high=0.64, best_win_rate_games=1000,
    total_games_processed=2000,
)  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """One served state folder."""

    settings: Settings
    port: int

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answered:
        """One request over a connection of its own; a body that is no bytes is sent as JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        known = {"content-type": "application/json"} if data is not None else {}
        try:
            connection.request(method, path, body=data, headers=known | (headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, told, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answered:
        return self.ask("GET", path, headers=headers)


def settings_for(home: Path, port: int, *, token_always: bool = False, **parts: object) -> Settings:
    """Nothing but an emergency may start: the allowed hours are half a day away."""
    hour = (datetime.now(UTC).hour + 12) % 24
    tree = {
        "home": home,
        "guards": {"allowed_hours": f"{hour:02d}:00-{hour:02d}:05"},
        "scheduler": {"poll_interval_s": 0.1},
        "web": {"port": port, "token_always": token_always},
    }
    return Settings.model_validate(tree | parts)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def served(home: Path, port: int | None = None, **parts: Any) -> Iterator[Served]:
    """The application on a thread, over this state folder."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port or 0))
        with _serving(home, listening, parts) as site:
            yield site


@contextmanager
def _serving(home: Path, listening: socket.socket, parts: dict[str, Any]) -> Iterator[Served]:
    settings = settings_for(home, listening.getsockname()[1], **parts)
    config = uvicorn.Config(
        create_app(open_site(settings, SECRET)),
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield Served(settings, settings.web.port)
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)


@contextmanager
def daemon_of(settings: Settings) -> Iterator[Service]:
    """A daemon that serves the same folder, on a thread of this process."""
    with Service(settings, seed_defaults=False) as service:
        thread = threading.Thread(target=service.run, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.daemon.request_stop()
            service.daemon.wake.set()
            thread.join(DEADLINE_S)


def wait_for(condition: Any) -> None:
    """Until it holds; a broken program alone reaches the deadline."""
    end_s, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while not condition():
        assert time.monotonic() < end_s, "it never came"
        pause.wait(0.02)


def fill(home: Path, now: datetime) -> None:
    """A database with the default schedules and triggers, a queued run, and one run of each outcome."""
    store = Store(f"sqlite:///{home / 'automation_tracking.db'}", 30)
    if not (home / "automation_tracking.db").exists():
        upgrade(store, 3, now)
    with store.write() as session:
        schedule_service.seed(session, now, 100)
        schedule = TrainingSchedule(name="nightly", cron_expression="0 2 * * *")
        schedule_service.save_schedule(session, schedule, now)
        for number, outcome in enumerate((Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED, None)):
            begun = now - timedelta(hours=8 - number)
            new = NewOccurrence(schedule, begun)
            occurrence = queue.record(session, new, begun, 100).occurrence_id
            run_id = queue.begin(
                session, occurrence, begun, worker="tuner", worker_reason="no GPU", seed=number,
                run_dir=lambda each: home / "runs" / f"{each:08d}",
            )  # fmt: skip
            assert run_id is not None
            if outcome is not None:
                _settle(session, run_id, outcome, begun)
                queue.finish(session, occurrence, outcome, "", begun + timedelta(minutes=30))
    store.close()


def _settle(session: Any, run_id: int, outcome: Outcome, begun: datetime) -> None:
    known = history.get(session, run_id)
    assert known is not None
    failure = RunFailure(failure_class=FailureClass.CRASH, message="it died") if outcome is Outcome.FAILED else None
    history.finish(
        session,
        ExecutionResult(
            execution_id=run_id, schedule_name="nightly", trigger_type=known.trigger_type,
            scheduled_for=begun, started_at=begun, completed_at=begun + timedelta(minutes=30), attempt=1,
            worker="tuner", outcome=outcome, success=outcome is Outcome.SUCCEEDED, state=MEASURED, failure=failure,
            run_dir=known.run_dir,
        ),
    )  # fmt: skip
