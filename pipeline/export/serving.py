"""A model file behind a real server in a child process: the Rust one where it is built, else the Python one."""

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import orjson
import psutil

from pipeline.bundled import DEPLOY
from pipeline.referee.snake_process import SnakeCommand, SnakeProcess
from schemas.errors import MachineError

RUST_VARIABLE: Final = "OUROBOROS_RUST_SNAKE"
"""The environment variable that names the Rust server's program where it is not in its source folder."""
_SOURCE: Final = DEPLOY / "rust-snake"
_PROGRAM: Final = _SOURCE / "target" / "release" / "rust-snake"
_BUILD_HINT: Final = f"run cargo build --release in {_SOURCE}, or name a program by {RUST_VARIABLE}"
_START_DEADLINE_S: Final = 300.0
_ANSWER_DEADLINE_S: Final = 30.0


class ServerKind(StrEnum):
    """Which server serves."""

    RUST = "rust"
    PYTHON = "python"


def rust_server() -> Path | None:
    """Return the built program of the Rust server; None, where `why_no_rust_server` says why. Nothing is built here.

    Raises:
        MachineError: the environment variable names no file.
    """
    named = os.environ.get(RUST_VARIABLE)
    if named and not Path(named).is_file():
        raise MachineError(
            f"{RUST_VARIABLE} names no file: {named}",
            where="environment",
            remedy="Name the built program, or unset it.",
        )
    if named:
        return Path(named)
    return None if why_no_rust_server() else _PROGRAM


def why_no_rust_server() -> str:
    """Return why there is no Rust server to use, in words; empty where there is one."""
    if os.environ.get(RUST_VARIABLE):
        return ""
    if not _PROGRAM.is_file():
        return f"the Rust server is not built; {_BUILD_HINT}"
    # Not Cargo.toml: where its change means nothing, cargo leaves the program as old as it is.
    sources = [path for part in ("src", "engine/src") for path in _SOURCE.glob(f"{part}/**/*.rs")]
    changed = max((path.stat().st_mtime for path in sources), default=0.0)
    if _PROGRAM.stat().st_mtime < changed:
        return f"the Rust server is older than its sources; {_BUILD_HINT}"
    return ""


class ServedModel:
    """A running server, its client connection, and what it takes of the machine."""

    def __init__(self, process: SnakeProcess, start_s: float) -> None:
        self._process: Final = process
        self._socket: Final = socket.create_connection(("127.0.0.1", process.port), _ANSWER_DEADLINE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.start_s: Final = start_s
        """From starting the process to its first answer."""

    def ask(self, body: bytes) -> tuple[str, float]:
        """Return the move for a /move request, and the milliseconds from sending it to the answer's last byte.

        Raises:
            MachineError: it answered something else.
        """
        head = b"POST /move HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        request = head % len(body) + body
        begun = perf_counter()
        self._socket.sendall(request)
        answer = self._read()
        took_ms = (perf_counter() - begun) * 1000
        status, _, content = answer.partition(b"\r\n\r\n")
        if b" 200 " not in status.split(b"\r\n", 1)[0]:
            raise MachineError(f"the server answered {answer[:200]!r}", where="POST /move", remedy="See its log.")
        fields: dict[str, Any] = orjson.loads(content)
        return str(fields["move"]), took_ms

    def memory_mb(self) -> float:
        """Return the resident memory of all processes of the server, in MB of 1024 * 1024 bytes."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self._process.pids()) / (1 << 20)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _read(self) -> bytes:
        answer = bytearray()
        while True:
            part = self._socket.recv(65536)
            if not part:
                raise MachineError("the server closed the connection", where="POST /move", remedy="See its log.")
            answer += part
            end = answer.find(b"\r\n\r\n")
            if end >= 0 and len(answer) >= end + 4 + _length(bytes(answer[:end])):
                return bytes(answer)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


@contextmanager
def served(model: Path, kind: ServerKind, folder: Path) -> Iterator[ServedModel]:
    """Serve `model` in a child process while the context lasts; its log is written into `folder`.

    Raises:
        MachineError: the Rust server was asked for, and there is none.
        SnakeError: it does not start.
    """
    command = SnakeCommand(tuple(_command(model.absolute(), kind)))
    process = SnakeProcess(kind.value, command, folder / f"{kind.value}.log", start_deadline_s=_START_DEADLINE_S)
    begun = perf_counter()
    with process:
        client = ServedModel(process, perf_counter() - begun)
        try:
            yield client
        finally:
            client.close()


def _command(model: Path, kind: ServerKind) -> Sequence[str]:
    if kind is ServerKind.PYTHON:
        return (sys.executable, "-m", "pipeline.serve", str(model), "--host", "127.0.0.1", "--games-dir", "")
    program = rust_server()
    if program is None:
        raise MachineError(
            why_no_rust_server(), where="deploy/rust-snake", remedy="Build it, or ask for the Python server."
        )
    # What is served here is judged and measured as a network: a search would take the time that it is given.
    return (str(program), "--model", str(model), "--no-search", "--host", "127.0.0.1", "--games-dir", "")
