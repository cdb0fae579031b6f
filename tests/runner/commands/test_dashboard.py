"""The web process beside `ouroboros up`: started with it, alive without it, ended with it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from runner.dashboard import DashboardProcess
from runner.single_instance import is_held
from schemas.service import LOCK_NAME
from schemas.settings import Settings
from tests.runner.commands.conftest import DEADLINE_S, Terminals, settings_without_runs, until


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def get(port: int, path: str) -> Any:
    """The JSON of an answer; None while nobody listens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    except OSError:
        return None
    finally:
        connection.close()


def holder(home: Path) -> int:
    """The process that the lock file names; 0 while nobody holds it."""
    lock = home / LOCK_NAME
    told = lock.read_text() if is_held(lock) else ""
    return int(json.loads(told)["pid"]) if told else 0


@pytest.fixture
def with_web(alone: Terminals) -> Iterator[Terminals]:
    """A test that fails half-way leaves no web process behind."""
    yield alone
    if left := holder(alone.home):
        os.kill(left, signal.SIGKILL)


def test_the_web_process_outlives_a_killed_daemon_and_ends_with_the_next(with_web: Terminals) -> None:
    alone, port = with_web, free_port()
    alone.write_settings(settings_without_runs() | {"web": {"port": port}})
    alone.up()
    until(lambda: get(port, "/readyz") == {"status": "ready"}, alone.shown)
    assert f"http://127.0.0.1:{port}" in alone.shown()
    first = holder(alone.home)
    assert alone.process is not None
    alone.process.send_signal(signal.SIGKILL)
    alone.process.wait(DEADLINE_S)
    until(lambda: get(port, "/api/v1/status")["running"] is False, alone.shown)
    alone.up()
    until(lambda: holder(alone.home) not in {0, first}, alone.shown)
    until(lambda: get(port, "/readyz") == {"status": "ready"}, alone.shown)
    second = holder(alone.home)
    os.kill(second, signal.SIGKILL)
    until(lambda: holder(alone.home) not in {0, second} and get(port, "/healthz"), alone.shown)
    assert alone.signalled(signal.SIGTERM) == 0
    assert holder(alone.home) == 0
    assert get(port, "/healthz") is None


def test_the_doctor_through_rest_names_what_is_broken_and_what_to_do(with_web: Terminals) -> None:
    alone, port, nobody = with_web, free_port(), free_port()
    smtp = {"host": "127.0.0.1", "port": nobody, "security": "none"}
    mail = {"smtp": smtp}
    alone.write_settings(settings_without_runs() | {"web": {"port": port}, "notifications": mail})
    alone.up()
    until(lambda: get(port, "/readyz") == {"status": "ready"}, alone.shown)
    told = {check["name"]: check for check in get(port, "/api/v1/doctor")}
    assert [name for name, check in told.items() if not check["ok"]] == ["mail"], told
    assert f"127.0.0.1:{nobody}" in told["mail"]["words"]
    assert "refuse" in told["mail"]["words"]
    assert f"process {alone.process.pid if alone.process else 0} is " in told["daemon"]["words"]
    assert "sound" in told["database"]["words"]
    said = alone.say("doctor", "--format", "json")
    there = {check["check"]: check["ok"] for check in json.loads(said.out)}
    assert there == {name: check["ok"] for name, check in told.items()}, "the terminal says the same"
    assert said.code == 2
    assert alone.signalled(signal.SIGTERM) == 0


def test_a_port_that_is_taken_is_said_once_and_tried_again_later(tmp_path: Path) -> None:
    told: list[str] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = Settings.model_validate({"home": tmp_path, "web": {"port": other.getsockname()[1]}})
        environment = pytest.MonkeyPatch()
        environment.setenv("OUROBOROS_HOME", str(tmp_path))
        (tmp_path / "settings.json").write_text(json.dumps({"web": {"port": settings.web.port}}))
        waits = []
        with DashboardProcess(settings, told.append) as dashboard:
            for _ in range(3):
                dashboard.turn()
                assert dashboard._child is not None
                dashboard._child.wait(DEADLINE_S)
                waits.append(dashboard.turn())
        environment.undo()
    assert waits == [1, 2, 4]
    assert len(told) == 1
    assert "Address already in use" in told[0]
    assert "web.port" in told[0]


def test_the_web_process_loads_no_orm_and_no_work() -> None:
    code = "import runner.web.server, sys; print({m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = eval(done.stdout)
    assert {"litestar", "uvicorn"} <= loaded
    assert loaded.isdisjoint({"sqlalchemy", "alembic", "numpy", "numba", "torch", "pipeline", "matplotlib", "apprise"})
