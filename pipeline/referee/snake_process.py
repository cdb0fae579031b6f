"""A snake server as a child process: started on a free port, waited for, watched, stopped with all it started."""

import contextlib
import http.client
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import psutil

from pipeline.referee.answer_reader import without_gzip
from pipeline.referee.connection import REDIRECTS
from pipeline.referee.endpoint import unix_url
from pipeline.referee.port_in_file import PortInFile, ports_in_use
from pipeline.referee.protocol import read_identity
from schemas.errors import SnakeError

PORTS = range(20000, 32768)
"""Below the range from which the kernel takes outgoing connections' ports, so none of those can be in the way."""
PORT_ATTEMPTS = 5
SOCKET_VARIABLE = "OUROBOROS_SOCKET"
"""Names a Unix socket on which a snake may listen beside its port; the bundled one does."""
LONGEST_SOCKET_PATH = 100
"""Characters; what the kernel takes is about as much."""
START_DEADLINE_S = 20.0
STOP_GRACE_S = 1.0
"""Between TERM and KILL."""
POLL_S = 0.01
ELSEWHERE_S = 1.0
"""So long a snake may listen on other ports before it opens the one it was told: a profiler's may come first."""
LOG_LINES = 15
_NOT_IN_PRODUCTION = {"OUROBOROS_GAMES_DIR": ""}
"""A snake server that is told so appends its games to the production games; the games of a match are none."""
_SUPERVISOR = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True, slots=True)
class SnakeCommand:
    """How a snake is started. `{port}` in an argument becomes the port, which is also in the environment."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    port_variable: str = "PORT"
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of this process's own, less where production games are kept."""
    settings_file: Path | None = None
    """The snake's own copy of its settings: where it listens on a port that stands there and not on ours, that number
    is changed to ours."""


class SnakeProcess:
    """A running snake; use it as a context manager, or `start` and `stop` it.

    The snake runs behind a supervisor (`supervisor.py`): it ends when this process does, however that happens.

    Args:
        name: for messages.
        command: how to start it.
        log: file that its output is appended to; its folder must exist.
        start_deadline_s: until it answers `GET /` with JSON.
        stop: asked while waiting for the start; once true, `start` gives up with a SnakeError.
    """

    def __init__(
        self,
        name: str,
        command: SnakeCommand,
        log: Path,
        *,
        start_deadline_s: float = START_DEADLINE_S,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.port = 0
        self._command = command
        self._start_deadline_s = start_deadline_s
        self._stop = stop
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._port_in_file = PortInFile(command.settings_file)
        self._socket = Path(tempfile.gettempdir()) / f"ouroboros-{secrets.token_hex(8)}.sock"

    @property
    def url(self) -> str:
        """The base URL, once started."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def quickest_url(self) -> str:
        """The base URL for this machine's referee: a Unix socket where the snake listens on one, else `url`.

        A request through it costs 8 % less of the machine than one through loopback TCP.
        """
        return unix_url(self._socket) if self._socket.is_socket() else self.url

    def start(self) -> None:
        """Start it on a free port and wait until it answers.

        The port is only known to be free a moment before the snake binds it; should another process take it in
        between, the snake is started again on another one. A snake that listens elsewhere is started again with its
        settings file changed (see `SnakeCommand.settings_file`), else taken where it listens.

        Raises:
            SnakeError: it cannot be started, ends, hangs, or answers no JSON; with the last lines of its log.
        """
        taken = random.SystemRandom()
        for _ in range(PORT_ATTEMPTS):
            self.port = _free_port(taken)
            self._launch()
            try:
                if self._wait_until_answering():
                    return
            except BaseException:
                self.stop()
                raise
            self.stop()
        raise self._error(f"found no port it could listen on in {PORT_ATTEMPTS} attempts", "Is something taking them?")

    def begin_stop(self) -> None:
        """Send it TERM, and KILL a second later, without waiting; `stop` waits. Several snakes so end together."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def stop(self) -> None:
        """End it and all it started: TERM, after a second KILL. Harmless when it does not run."""
        process = self._process
        if process is None:
            return
        self.begin_stop()
        self._process = None
        try:
            process.wait(STOP_GRACE_S + 5)
        except subprocess.TimeoutExpired:  # the supervisor itself hangs: the kernel then kills the snake with it
            process.kill()
            process.wait()
        self._socket.unlink(missing_ok=True)  # left there by a snake that had to be killed

    def require_running(self) -> None:
        """Check that it has not ended since.

        Raises:
            SnakeError: it has; with its exit code and the last lines of its log.
        """
        code = self._process.poll() if self._process is not None else None
        if self._process is None or code is not None:
            raise self._error(f"ended by itself with exit code {code}", "Mend what its log says.")

    def pids(self) -> list[int]:
        """Return the process ids of the snake and all it started, without the supervisor."""
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self._process.pid).children(recursive=True)]
        return []

    def log_tail(self) -> str:
        """Return the last lines it wrote since it was started."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - 8192, self._log_start))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError as error:
            return f"(its log cannot be read: {error})"
        return "\n".join(lines[-LOG_LINES:])

    def __enter__(self) -> Self:
        """Start it; see `start`."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _launch(self) -> None:
        command = self._command
        argv = [part.replace("{port}", str(self.port)) for part in command.argv]
        places = {command.port_variable: str(self.port)}
        if len(str(self._socket)) < LONGEST_SOCKET_PATH:
            places[SOCKET_VARIABLE] = str(self._socket)
        environment = {**os.environ, **_NOT_IN_PRODUCTION, **command.environment, **places}
        try:
            self._port_in_file.put(self.port)
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    # -I: neither the snake's folder nor the user's may change what the supervisor imports.
                    [sys.executable, "-I", str(_SUPERVISOR), str(STOP_GRACE_S), *argv],
                    cwd=command.cwd,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    process_group=0,
                )
        except OSError as error:
            raise SnakeError(
                f"snake {self.name} cannot be started: {error.strerror}",
                where=str(error.filename or self.log),
                remedy="Check its folder and the folder of its log.",
            ) from error

    def _wait_until_answering(self) -> bool:
        """Return True once it answers; False where it has to be started again: its port was taken, or moved."""
        deadline = monotonic() + self._start_deadline_s
        elsewhere_s = 0.0
        while monotonic() < deadline:
            assert self._process is not None
            code = self._process.poll()
            if code is not None:
                if code != 127 and (self._moved(ports_in_use(self.log_tail())) or self._port_was_taken()):
                    return False
                raise self._error(f"ended at once with exit code {code}", "Mend what its log says.")
            if self._stop is not None and self._stop():
                raise self._error("was not waited for: a stop was asked for", "Start again when it suits.")
            ports = self._listening_ports()
            if self.port in ports:
                return self._answers(deadline)
            if self._moved(ports):
                return False
            elsewhere_s += POLL_S if ports else 0.0
            if elsewhere_s > ELSEWHERE_S:
                self.port = min(ports)
                return self._answers(deadline)
            sleep(POLL_S)
        raise self._error(
            f"did not listen on port {self.port} within {self._start_deadline_s:g} s",
            f"It must listen on the port in ${self._command.port_variable}; see its log.",
        )

    def _listening_ports(self) -> set[int]:
        """The ports on which a process of the snake's own has a listening socket: another's would not do."""
        ports: set[int] = set()
        for pid in self.pids():
            with contextlib.suppress(psutil.Error):
                connections = psutil.Process(pid).net_connections("tcp")
                ports |= {there.laddr.port for there in connections if there.status == psutil.CONN_LISTEN}
        return ports

    def _moved(self, ports: set[int]) -> bool:
        """Whether one of these ports stands in the settings file, so that the next start changes it."""
        return any(self._port_in_file.found(port) for port in ports)

    def _answers(self, deadline: float) -> bool:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=max(deadline - monotonic(), 0.1))
        try:
            client.request("GET", "/")
            answer = client.getresponse()
            if answer.status in REDIRECTS and answer.getheader("Location"):
                return True  # whoever plays follows it
            body = answer.read(1 << 20)
            body = without_gzip(body) if answer.getheader("Content-Encoding") == "gzip" else body
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._error(f"does not answer GET / ({error or type(error).__name__})", "See its log.") from error
        finally:
            client.close()
        if read_identity(body) is None:
            raise self._error(
                f"answers GET / with {body[:80]!r}", 'The API wants a JSON object like {"apiversion": "1"}.'
            )
        return True

    def _port_was_taken(self) -> bool:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            words = log.read(65536).lower()
        return b"address already in use" in words or b"eaddrinuse" in words or not _is_free(self.port)

    def _error(self, what: str, remedy: str) -> SnakeError:
        tail = self.log_tail()
        words = f"{remedy} Its last lines:\n{tail}" if tail else f"{remedy} It wrote nothing."
        return SnakeError(f"snake {self.name} {what}", where=f"log {self.log}", remedy=words)


@contextlib.contextmanager
def running_snakes(snakes: Iterable[SnakeProcess]) -> Iterator[None]:
    """Start several snakes, one after the other, and stop them all together.

    Raises:
        SnakeError: one could not be started; those already running are stopped.
    """
    started: list[SnakeProcess] = []
    try:
        for snake in snakes:
            snake.start()
            started.append(snake)
        yield
    finally:
        for snake in started:
            snake.begin_stop()
        for snake in started:
            snake.stop()


def _free_port(chance: random.Random) -> int:
    for _ in range(200):
        port = chance.choice(PORTS)
        if _is_free(port):
            return port
    raise SnakeError(
        "no free port for a snake",
        where=f"tried 200 ports from {PORTS.start} to {PORTS.stop - 1}",
        remedy="End the programs that listen on them.",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose old connections are still in TIME_WAIT is free for listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
