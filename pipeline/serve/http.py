"""A small HTTP/1.1 server on asyncio: keep-alive, bounded bodies, requests of a connection answered in order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, cast

import httptools
import orjson

MOST_BYTES: Final = 4 << 20
"""The largest body read; the largest official boards stay below 100 KB."""
_LINGER_S: Final = 2.0
_REASONS: Final = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 413: b"Payload Too Large", 500: b"Server Error"}


class Call(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    body: bytes
    arrived_s: float
    """When its last byte was read, on the loop's clock."""


class HttpReply(NamedTuple):
    """What is answered; `then` runs once the answer is on its way."""

    status: int
    body: bytes
    then: Callable[[], None] | None = None


Handler = Callable[[Call], Awaitable[HttpReply]]


def error_reply(status: int, why: str) -> HttpReply:
    """Return a reply that says what was wrong."""
    return HttpReply(status, orjson.dumps({"error": why}))


class Connections:
    """All connections of one server: how many requests are under way, and their end."""

    def __init__(self, handler: Handler, complain: Callable[[str], None]) -> None:
        self.handler = handler
        self.complain: Final = complain
        self.open: Final[set[HttpConnection]] = set()
        self.closing = False

    def protocol(self) -> "HttpConnection":
        """Return the protocol of a new connection, for `loop.create_server`."""
        return HttpConnection(self)

    async def finish(self, grace_s: float) -> None:
        """Close idle connections, and the others once their requests are answered, for at most `grace_s`."""
        self.closing = True
        busy = [connection.task for connection in list(self.open) if connection.task is not None]
        for connection in list(self.open):
            connection.close_if_idle()
        if busy:
            await asyncio.wait(busy, timeout=grace_s)
        for connection in list(self.open):
            connection.abort()


class HttpConnection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: Connections) -> None:
        self._server: Final = server
        self._parser: Final[Any] = httptools.HttpRequestParser(self)
        self._loop: Final = asyncio.get_running_loop()
        self._waiting: Final[deque[Call | HttpReply]] = deque()
        self._transport: asyncio.Transport | None = None
        self._path, self._body, self._keep, self._refused = "", bytearray(), True, False
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)  # of TCP servers, uvloop's too
        self._server.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; a request under way is still worked to its end."""
        self._server.open.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Parse; whole requests are put in line. What follows a refused one is read and forgotten."""
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(error_reply(400, "this server speaks HTTP/1.1 only"))
        except httptools.HttpParserError as error:
            self._refuse(error_reply(400, f"no HTTP request: {error}"))

    def on_message_begin(self) -> None:
        """The parser begins a request."""
        self._path, self._body = "", bytearray()

    def on_url(self, url: bytes) -> None:
        """The parser read (part of) the address."""
        self._path += url.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """The parser read (part of) the body."""
        if self._refused:
            return
        if len(self._body) + len(body) > MOST_BYTES:
            self._refuse(error_reply(413, f"the body is larger than {MOST_BYTES} bytes"))
            return
        self._body += body

    def on_headers_complete(self) -> None:
        """The parser read the headers; a client that waits for leave to send its body gets it."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser read a header."""
        if name.lower() == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self._refused:
            return
        self._keep = self._parser.should_keep_alive()
        path = self._path.partition("?")[0].rstrip("/") or "/"
        method = self._parser.get_method().decode("latin-1")
        self._put(Call(method, path, bytes(self._body), self._loop.time()))

    def close_if_idle(self) -> None:
        """Close the connection unless a request is under way."""
        if self.task is None:
            self.abort()

    def abort(self) -> None:
        """Close the connection once what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def _refuse(self, reply: HttpReply) -> None:
        if not self._refused:
            self._keep, self._refused = False, True
            self._put(reply)

    def _put(self, item: Call | HttpReply) -> None:
        self._waiting.append(item)
        if self.task is None:
            self.task = self._loop.create_task(self._answer_all())

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                item = self._waiting.popleft()
                reply = item if isinstance(item, HttpReply) else await self._reply_to(item)
                last = not self._waiting and (not self._keep or self._server.closing)
                self._write(reply, last)
                if reply.then is not None:
                    self._do(reply.then)
        finally:
            self.task = None

    def _do(self, then: Callable[[], None]) -> None:
        try:
            then()
        except Exception as error:  # noqa: BLE001 - those in line behind it are answered all the same
            self._server.complain(f"what follows an answer failed: {type(error).__name__}: {error}")

    async def _reply_to(self, call: Call) -> HttpReply:
        try:
            return await self._server.handler(call)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the other games
            self._server.complain(f"{call.method} {call.path} failed: {type(error).__name__}: {error}")
            return error_reply(500, "this server could not answer; its log says why")

    def _write(self, reply: HttpReply, last: bool) -> None:
        if self._transport is None:
            return
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" % (
            reply.status,
            _REASONS[reply.status],
            len(reply.body),
            b"Connection: close\r\n" if last else b"",
        )
        self._transport.write(head + reply.body)
        if last and self._refused:
            # Closing with bytes unread would reset the connection, and the reason could be lost on its way.
            self._transport.write_eof()
            self._loop.call_later(_LINGER_S, self.abort)
        elif last:
            self._transport.close()
