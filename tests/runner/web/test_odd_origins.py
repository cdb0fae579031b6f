"""Where a write comes from, in words that are no address."""

import asyncio

import pytest

from runner.store.states import TokenScope
from runner.web.security import Gate, Message, Principal, Receive, Scope, Send
from schemas.service import WebSettings


async def inner(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize("origin", [b"http://[bad", b"http://[", b"null", b"//", b"\xff"])
def test_an_origin_that_is_no_address_is_refused_in_words(origin: bytes) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    gate = Gate(inner, WebSettings(), b"secret", lambda _text: Principal("a", TokenScope.STEER))
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/pause", "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), (b"origin", origin)],
    }  # fmt: skip
    asyncio.run(gate(scope, receive, send))
    assert sent[0]["status"] == 403
    assert b"asked from a page of" in sent[1]["body"]
