"""Whoever says nothing, or never ends, is let go; whoever asks is answered."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from served_site import DEADLINE_S, wait_for

from runner.web import connections
from runner.web.connections import PatientConnection

WHOLE = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"


async def answers(scope: Any, receive: Any, send: Any) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            answers, http=PatientConnection, ws="none", lifespan="off", log_config=None, limit_concurrency=2,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(DEADLINE_S)


def said(port: int, *parts: bytes) -> bytes:
    """All that comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as asking:
        try:
            for part in parts:
                asking.sendall(part)
            return b"".join(iter(lambda: asking.recv(65536), b""))
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "parts", [(), (b"GET / HTTP/1.1\r\nHost:",), (WHOLE[:-1],), (WHOLE + b"GET / HT",)],
    ids=["nothing", "half a head", "half a body", "half a second request"],
)  # fmt: skip
def test_a_request_that_does_not_come_ends_its_connection(
    port: int, monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_LIMIT_S", 0.3)
    answered = said(port, *parts)  # which returns once the connection has ended
    assert answered.count(b"200 OK") <= int(WHOLE in b"".join(parts))


@pytest.mark.parametrize("part", [b"GET /", b"GET / HTTP/1.1\r\nA: "])
def test_a_head_without_an_end_is_refused(port: int, part: bytes) -> None:
    told = said(port, part, *[b"a" * 65_536] * 8)
    assert told == b"" or b"at most 65,536 bytes" in told


def test_a_whole_request_is_answered_however_late_the_next_comes(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as asking:
        for _ in range(2):
            asking.sendall(WHOLE[:60])
            asking.sendall(WHOLE[60:])
            assert b"200 OK" in asking.recv(65536)
