"""`ouroboros up` as a real process, and the second terminal that talks to it."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner import cli

OUROBOROS = Path(sys.executable).with_name("ouroboros")
JOBS = Path(__file__).parents[2] / "process"
DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


def until(condition: Callable[[], object], what: Callable[[], str]) -> None:
    """Wait for a condition; fails after a deadline that only a broken program reaches."""
    end_s, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while not condition():
        assert time.monotonic() < end_s, f"never came: {what()}"
        pause.wait(0.05)


def settings_without_runs() -> dict[str, object]:
    """The allowed hours are half a day away, so that nothing but an emergency starts."""
    hour = (datetime.now(UTC).hour + 12) % 24
    return {
        "guards": {"allowed_hours": f"{hour:02d}:00-{hour:02d}:05", "cpu_window_s": 1, "cpu_sample_interval_s": 0.5},
        "workers": {"heartbeat_interval_s": 0.5},
        "web": {"enabled": False},
    }


class Terminals:
    """One state folder: `up` in the first terminal, all else from a second one."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ouroboros-"))  # short: a socket's path has 107 bytes
        self.settings_file = self.home / "settings.json"
        self.write_settings(settings_without_runs())
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.home / "notify"))
        self._socket.setblocking(False)
        self.notified: list[str] = []
        self.log = self.home / "up.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def write_settings(self, settings: dict[str, object]) -> None:
        self.settings_file.write_text(json.dumps(settings))

    def up(self) -> None:
        """Start, and wait for READY."""
        environment = {"NOTIFY_SOCKET": str(self.home / "notify"), "PYTHONPATH": str(JOBS), "PYTHONFAULTHANDLER": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [OUROBOROS, "up"],
                env=os.environ | {"OUROBOROS_HOME": str(self.home)} | environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.notified.clear()
        until(lambda: self.was_notified("READY=1"), self.shown)

    def was_notified(self, line: str) -> bool:
        """Whether the service manager was told this, in so many words or as a beginning."""
        while True:
            try:
                self.notified += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                break
        assert self.process is not None
        assert self.process.poll() is None or line == "STOPPING=1", self.shown()
        return any(told.startswith(line) for told in self.notified)

    def shown(self) -> str:
        """What the first terminal shows."""
        return self.log.read_text()

    def say(self, *words: str) -> Said:
        """A command in a second terminal, in this process: it differs from one of its own by a second of imports."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setenv("OUROBOROS_HOME", str(self.home))
            code = cli.run(list(words))
        return Said(code, out.getvalue(), err.getvalue())

    def ouroboros(self, *words: str) -> Said:
        """The same as a process of its own."""
        done = subprocess.run(
            [OUROBOROS, *words],
            env=os.environ | {"OUROBOROS_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def runs(self) -> list[dict[str, object]]:
        """`history --json`."""
        return [json.loads(line) for line in self.say("history", "--json").out.splitlines()]

    def signalled(self, number: signal.Signals) -> int:
        """Send it and wait for the end; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # faulthandler tells where every thread stands
            self.process.wait(DEADLINE_S)
            raise AssertionError(self.shown()) from None

    def close(self) -> None:
        """Leave nothing running and nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        self._socket.close()
        shutil.rmtree(self.home)


@pytest.fixture(scope="module")
def serving() -> Iterator[Terminals]:
    """A daemon for all tests of a module."""
    terminals = Terminals()
    try:
        terminals.up()
        yield terminals
        assert terminals.signalled(signal.SIGTERM) == 0, terminals.shown()
    finally:
        terminals.close()


@pytest.fixture
def alone() -> Iterator[Terminals]:
    """A state folder in which nothing has run yet."""
    terminals = Terminals()
    yield terminals
    terminals.close()
