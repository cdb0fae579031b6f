"""Ray's own processes on this machine: started by its command, watched, ended. Nothing of Ray is imported here."""

import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from schemas.cluster import NODE_FOLDER_VARIABLE, NodeRequest, NodeRole, cluster_dir, ray_variables, token_path
from schemas.errors import MachineError
from schemas.settings import Settings

WORKER_PORTS_FROM, WORKER_PORTS_TO = 10, 109
"""Ports of players, counted from `cluster.port`."""
END_S = 10.0
_UP = "Ray runtime started"
_PR_SET_PDEATHSIG = 1
_LAST_BYTES = 4000
_NO_HEAD = (
    "there is no head at that address, a firewall is between, or one of the two speaks TLS and the other does not"
)
_LATE = "its parts did not find each other in time; this machine is too busy, or nobody reaches it at its address"
_SIGNS = (
    ("does not match", "Python or Ray is another version there: install the same ones on both machines"),
    ("authentication", "the token is another one than the head's"),
    ("Unauthenticated", "the token is another one than the head's"),
    ("InvalidAuthToken", "the token is another one than the head's"),
    ("Failed to connect", _NO_HEAD),
    ("Timed out", _NO_HEAD),
    ("Address already in use", "a port of `cluster.port` and the 109 after it is taken"),
    ("port number", "a port of `cluster.port` and the 109 after it is taken"),
    ("No space left", "the disk is full"),
)


def ray_folder(home: Path) -> Path:
    """Where Ray keeps sockets and logs: a socket's path has 107 bytes at most, so it is not the state folder."""
    digest = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"ouroboros-{os.getuid()}-{digest}"


class RayProcesses:
    """One machine's share of a cluster.

    Args:
        cores: CPUs that the players may use.
    """

    def __init__(self, settings: Settings, request: NodeRequest, cores: int) -> None:
        self._settings, self._request, self._cores = settings, request, cores
        self._folder = ray_folder(settings.home)
        self._log = cluster_dir(settings.home) / "ray.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, deadline_s: float) -> None:
        """Start them, and wait until they are up.

        Raises:
            MachineError: they are not; says why in a sentence.
        """
        end_processes(self._folder)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            raise MachineError("Ray's folder belongs to somebody else", where=str(self._folder))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self._in_child,  # noqa: PLW1509 - no thread of ours holds a lock that the child wants
            )
        until = time.monotonic() + deadline_s
        while _UP not in self._said():
            if self._process.poll() is not None or time.monotonic() > until:
                words = self._why()
                self.end()
                raise MachineError(words, where=self._request.head, remedy=f"Its log: {self._log}.")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)

    @property
    def up(self) -> bool:
        """Whether Ray's own watch over its processes goes on, and none of them has ended."""
        if self._process is None or self._process.poll() is not None:
            return False
        return any(name.startswith("raylet") for name in _living(self._process.pid))

    def end(self) -> None:
        """End all of them, by force where they hang. Harmless when repeated."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            if process.poll() is None:
                process.kill()
                process.wait()
        end_processes(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self) -> list[str]:
        port, cluster = self._settings.cluster.port, self._settings.cluster
        role = ["--address", self._request.head]
        if self._request.role is NodeRole.MASTER:
            role = ["--head", "--port", str(port), "--no-monitor", "--ray-client-server-port", str(port + 3)]
            role += ["--include-dashboard", "false", "--dashboard-port", str(port + 8)]
        ports = {
            "node-manager-port": 1,
            "object-manager-port": 2,
            "dashboard-agent-grpc-port": 4,
            "dashboard-agent-listen-port": 5,
            "runtime-env-agent-port": 6,
            "metrics-export-port": 7,
            "min-worker-port": WORKER_PORTS_FROM,
            "max-worker-port": WORKER_PORTS_TO,
        }
        return [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", *role, "--block", "--disable-usage-stats"),
            *("--node-ip-address", self._request.host, "--node-name", self._request.name),
            *("--num-cpus", str(self._cores), "--num-gpus", "0", "--include-log-monitor", "false"),
            *("--object-store-memory", str(cluster.object_store_mb * 1_000_000), "--temp-dir", str(self._folder)),
            *(word for name, offset in ports.items() for word in (f"--{name}", str(port + offset))),
        ]

    def _environment(self) -> dict[str, str]:
        folder = cluster_dir(self._settings.home).absolute()
        return {
            **os.environ,
            **ray_variables(token_path(self._settings.home)),
            NODE_FOLDER_VARIABLE: str(folder),
        }

    def _in_child(self) -> None:
        """Ends with the node process however that ends, and stays on the cores that are lent."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[-self._cores :])

    def _said(self) -> str:
        with suppress(OSError):
            return self._log.read_bytes().decode(errors="replace")
        return ""

    def _why(self) -> str:
        said = self._said()
        for sign, words in _SIGNS:
            if sign.lower() in said.lower():
                own = self._request.role is NodeRole.MASTER and words == _NO_HEAD
                return f"Ray does not start: {_LATE if own else words}"
        lines = [line for line in said[-_LAST_BYTES:].splitlines() if line.strip()]
        return f"Ray does not start: {lines[-1].strip()[:300] if lines else 'it says nothing'}"


def end_processes(folder: Path) -> None:
    """Kill what works in this folder of Ray's: of a node process that was killed, or that let go in a hurry."""
    mark, own = str(folder), os.getpid()
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "uids"]):
        facts = process.info
        if facts["pid"] != own and facts["uids"] and facts["uids"].real == os.getuid():
            words = " ".join(facts["cmdline"] or ())
            if f"{mark}/" in words or words.endswith(mark) or f"{mark} " in words:
                found.append(process)
    for process in found:
        with suppress(psutil.Error):
            for child in process.children(recursive=True):
                with suppress(psutil.Error):
                    child.kill()
            process.kill()
    psutil.wait_procs(found, timeout=5)


def _living(pid: int) -> list[str]:
    """The names of its children; one that ends while it is looked at is none."""
    names = []
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            with suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE:
                    names.append(child.name())
    return names


def route_to(address: str) -> str:
    """This machine's address on the way to `address`; nothing is sent.

    Raises:
        MachineError: there is no way.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect((address, 9))
            return str(way.getsockname()[0])
    except OSError as error:
        raise MachineError(f"there is no way to it: {error.strerror or error}", where=address) from error
    except (TypeError, UnicodeError) as error:  # what socket says of a name that cannot be encoded
        raise MachineError("there is no way to it: no machine can have that name", where=address[:100]) from error
