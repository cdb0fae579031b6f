"""Scripted snakes: real HTTP servers in threads that do to each request exactly what a test says."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]
DIRECTIONS = {"up": (0, 1), "down": (0, -1), "left": (-1, 0), "right": (1, 0)}


class Hang:
    """Keep the connection open and say nothing more until the server is closed."""


class Close:
    """Close the connection."""


@dataclass(frozen=True)
class Wait:
    """Go on only when the event is set."""

    event: threading.Event


Action = bytes | type[Hang] | type[Close] | Wait


@dataclass(frozen=True)
class Request:
    path: str
    body: Body
    connection: int
    raw: bytes
    head: bytes = b""


Script = Callable[[Request], Sequence[Action]]


def http(body: bytes | str | Body, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP/1.1 answer."""
    content = (
        json.dumps(body).encode() if isinstance(body, dict) else body if isinstance(body, bytes) else body.encode()
    )
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{headers}\r\n".encode() + content


def move(word: str) -> bytes:
    return http({"move": word})


def safe_move(body: Body) -> str:
    """A deterministic snake's move: the first free neighbour, or up."""
    taken = {(part["x"], part["y"]) for snake in body["board"]["snakes"] for part in snake["body"][:-1]}
    head = body["you"]["head"]
    for word, (dx, dy) in DIRECTIONS.items():
        x, y = head["x"] + dx, head["y"] + dy
        if 0 <= x < body["board"]["width"] and 0 <= y < body["board"]["height"] and (x, y) not in taken:
            return word
    return "up"


@dataclass
class ScriptedSnake:
    """A snake server; `script` answers `/move` unless it is asked for everything."""

    script: Script
    everything: bool = False
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    index: bytes = field(default_factory=lambda: http({"apiversion": "1", "color": "#123456"}))
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family, backlog=64)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def bodies(self, path: str = "/move") -> list[Body]:
        return [request.body for request in self.requests if request.path == path]

    def close(self) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, self.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(ConnectionError, ssl.SSLError), self._wrapped(connection) as spoken:
            self._talk(spoken, number)

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        if self.tls is None:
            return connection
        try:
            return self.tls.wrap_socket(connection, server_side=True)
        except BaseException:
            connection.close()
            raise

    def _talk(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as stream:
            while (request := _read(stream, number)) is not None:
                self.requests.append(request)
                for action in self._actions(request):
                    if action is Close:
                        return
                    if action is Hang:
                        self._closing.wait()
                        return
                    if isinstance(action, Wait):
                        while not action.event.wait(0.05) and not self._closing.is_set():
                            pass
                    elif isinstance(action, bytes):
                        connection.sendall(action)

    def _actions(self, request: Request) -> Sequence[Action]:
        if self.everything or request.path == "/move":
            return self.script(request)
        return [self.index if request.path == "/" else http(b"{}")]


def _read(stream: Any, connection: int) -> Request | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    length = next(
        (int(row.split(b":")[1]) for row in head.split(b"\r\n") if row.lower().startswith(b"content-length")), 0
    )
    raw = stream.read(length)
    return Request(head.split(b" ")[1].decode(), json.loads(raw) if raw else {}, connection, raw, head)
