"""One seat's line to its snake: keep-alive HTTP/1.1, one request at a time, one deadline for all of it.

Nothing here is a coroutine but the connecting itself: a request costs one write, one read and one callback. The
deadline is one timer per line that is pushed forward lazily, not one timer per request. A short answer that came
before, byte for byte, is not parsed again: snakes say four things, and their heads change once a second.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple, cast

from pipeline.referee.answer_reader import AnswerReader, ReadAnswer
from pipeline.referee.endpoint import Endpoint, redirected, shown_url
from pipeline.referee.outcome import Failure
from schemas.errors import SnakeError

MOST_REDIRECTS = 10
"""One after the other, as in Go's net/http."""
REDIRECTS = (301, 302, 303, 307, 308)
SHORT_ANSWER_BYTES = 512
MOST_KNOWN = 64
"""Short answers that a line remembers; when they are more it forgets them all."""
LAST_LOOK_S = 0.001
"""How long after the deadline bytes that have already arrived may still be read."""


class SnakeAnswer(NamedTuple):
    """What came back, or why nothing did."""

    failure: Failure | None
    """TIMEOUT, CONNECTION, BAD_HTTP or None. The status is not judged here."""
    status: int
    body: bytes
    elapsed_s: float
    detail: str = ""
    """More on the failure, for a person: the system's error, a redirect that led nowhere."""


AnswerHandler = Callable[[SnakeAnswer], None]


class SnakeConnection:
    """A seat's line to one snake.

    Args:
        loop: the event loop it lives on; not thread-safe.
        endpoint: the snake.
        timeout_s: for one request: connecting, sending, waiting and reading together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: Endpoint, timeout_s: float) -> None:
        self.endpoint = endpoint
        self.timeout_s = timeout_s
        self.reconnects = 0
        """Requests sent again because the server had closed the kept-alive connection meanwhile."""
        self._loop = loop
        self._wire: _Wire | None = None
        self._opening: _Wire | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._handler: AnswerHandler | None = None
        self._request = b""
        self._started = 0.0
        self.known: dict[bytes, tuple[int, bytes]] = {}
        """Whole short answers, as they came, with their status and body."""
        self._last_look = False
        self._redirects = 0
        self._elsewhere: dict[str, SnakeConnection] = {}
        self._followed: SnakeConnection | None = None

    def ask(self, request: bytes, handler: AnswerHandler) -> None:
        """Send a whole request; `handler` gets the answer later, exactly once, unless `close` comes first.

        Raises:
            RuntimeError: a request before is not answered yet, which is a fault of the caller.
        """
        if self._handler is not None:
            raise RuntimeError(f"a second request to {self.endpoint.shown} before the first was answered")
        self._handler = handler
        self._started = perf_counter()
        self._last_look = False
        self._redirects = 0
        if self._timer is None:  # else an earlier request's timer fires first and then waits for the rest
            self._set_timer(self.timeout_s)
        self._send(request)

    def close(self) -> None:
        """Drop the connection and any request under way, whose handler is never called."""
        self._handler = None
        self._hang_up()
        self._leave()
        for line in self._elsewhere.values():
            line.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, request: bytes) -> None:
        self._request = request
        if self._wire is None:
            self._connect()
        else:
            self._wire.send(request)

    def _connect(self) -> None:
        wire = _Wire(self)
        self._opening = wire
        self._connecting = self._loop.create_task(self._open(wire), name=f"connect {self.endpoint.shown}")

    async def _open(self, wire: "_Wire") -> None:
        endpoint = self.endpoint
        try:
            if endpoint.socket:
                await self._loop.create_unix_connection(lambda: wire, endpoint.socket)
            else:
                await self._loop.create_connection(lambda: wire, endpoint.host, endpoint.port, ssl=endpoint.tls)
        except OSError as error:
            if self._opening is wire:  # else this attempt was given up, and a later request waits for another
                self._opening = self._connecting = None
                self._finish(Failure.CONNECTION, detail=f"{endpoint.host}: {error.strerror or error}")

    def opened(self, wire: "_Wire") -> None:
        """The connection stands; what is waiting goes out (called by the wire)."""
        self._opening = self._connecting = None
        self._wire = wire
        if self._handler is not None:
            wire.send(self._request)

    def answered_as_before(self, status: int, body: bytes) -> None:
        """A whole answer has come that leaves the connection open and redirects nowhere (called by the wire)."""
        handler = self._handler
        if handler is None or self._followed is not None:
            self._hang_up()  # nobody asked for it
            return
        self._handler = None
        # What SnakeAnswer() does, in a third of the time.
        handler(tuple.__new__(SnakeAnswer, (None, status, body, perf_counter() - self._started, "")))

    def answered(self, status: int, body: bytes, location: str, *, reusable: bool) -> None:
        """A whole answer has come (called by the wire); nobody may have asked for it."""
        unasked = self._handler is None or self._followed is not None
        if not reusable or unasked:
            self._hang_up()
        if self._followed is not None:
            return
        if location and status in REDIRECTS and self._handler is not None:
            self._follow(status, location)
        else:
            self._finish(None, status, body)

    def _follow(self, status: int, location: str) -> None:
        """Ask where a redirect leads: on this line where that is the same server, else on one of its own."""
        self._redirects += 1
        where = f"status {status} with Location {shown_url(location)}"
        if self._redirects > MOST_REDIRECTS:
            self._finish(Failure.BAD_STATUS, status, detail=f"{where}: stopped after {MOST_REDIRECTS} redirects")
            return
        try:
            target, request = redirected(self.endpoint, self._request, status, location)
        except SnakeError as error:
            self._finish(Failure.BAD_STATUS, status, detail=f"{where}: {error.what}")
            return
        if target.origin == self.endpoint.origin:
            self._send(request)
            return
        line = self._elsewhere.setdefault(target.origin, SnakeConnection(self._loop, target, self.timeout_s))
        self._followed = line
        line.timeout_s = max(self._left_s(), LAST_LOOK_S)
        line.ask(request, self._relay)
        line._redirects = self._redirects

    def _relay(self, answer: SnakeAnswer) -> None:
        line, self._followed = self._followed, None
        shown = line.endpoint.shown if line is not None else ""
        detail = f"after a redirect to {shown}: {answer.detail}" if answer.failure else ""
        self._finish(answer.failure, answer.status, answer.body, detail)

    def _leave(self) -> None:
        """Give up the request at the place a redirect led to."""
        if self._followed is not None:
            self._followed.close()
            self._followed = None

    def broken(self, failure: Failure, *, stale: bool, detail: str = "") -> None:
        """The wire is gone; `stale`: it had served before and closed without a byte of this answer."""
        self._hang_up()
        if self._handler is None or self._followed is not None:
            return
        if stale:
            # The server's idle close and our request crossed on the way: not the snake's failure. A fresh
            # connection is never stale, so this happens at most once per request.
            self.reconnects += 1
            self._connect()
        else:
            self._finish(failure, detail=detail)

    def _finish(self, failure: Failure | None, status: int = 0, body: bytes = b"", detail: str = "") -> None:
        handler = self._handler
        if handler is not None:
            self._handler = None
            handler(SnakeAnswer(failure, status, body, perf_counter() - self._started, detail))

    def _hang_up(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._opening is not None:
            self._opening.drop()
            self._opening = None
        if self._wire is not None:
            self._wire.drop()
            self._wire = None

    def _left_s(self) -> float:
        return self._started + self.timeout_s - perf_counter()

    def _set_timer(self, delay_s: float) -> None:
        self._timer = self._loop.call_later(delay_s, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._handler is None:
            return
        left_s = self._left_s()
        if left_s > 0:
            self._set_timer(left_s)
        elif not self._last_look:
            # The loop runs timers before it reads sockets: were we the ones who dawdled, the answer is there.
            self._last_look = True
            self._set_timer(LAST_LOOK_S)
        else:
            self._hang_up()
            self._leave()
            self._finish(Failure.TIMEOUT)


class _Wire(asyncio.Protocol):
    """One connection and the reader of its answer; forgotten by its line as soon as it is dropped."""

    def __init__(self, line: SnakeConnection) -> None:
        self._line: SnakeConnection | None = line
        self._transport: asyncio.Transport | None = None
        self.send: Callable[[bytes], None] = _not_open
        """Sends a whole request, once the connection stands."""
        self._reader: AnswerReader | None = None
        """None: nothing has come of an answer."""
        self._fresh = True

    def drop(self) -> None:
        self._line = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.send = self._transport.write
        if self._line is None:
            self._transport.abort()
        else:
            self._line.opened(self)

    def data_received(self, data: bytes) -> None:
        line, reader = self._line, self._reader
        if line is None:
            return
        if reader is None:
            if (known := line.known.get(data)) is not None:
                self._fresh = False
                line.answered_as_before(*known)
                return
            reader = self._reader = AnswerReader()
        try:
            answer = reader.feed(data)
        except ValueError as error:
            line.broken(Failure.BAD_HTTP, stale=False, detail=str(error))
            return
        if answer is not None:
            if answer.reusable and not answer.location and reader.received == len(data) <= SHORT_ANSWER_BYTES:
                _remember(line.known, data, answer.status, answer.body)
            self._hand_over(line, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        line, reader = self._line, self._reader
        if line is None:
            return
        try:
            answer = reader.closed() if exc is None and reader is not None else None
        except ValueError as error:
            line.broken(Failure.BAD_HTTP, stale=False, detail=str(error))
            return
        if answer is not None:
            self._hand_over(line, answer)
        else:
            detail = "it closed the connection" if exc is None else str(exc)
            line.broken(Failure.CONNECTION, stale=not self._fresh and reader is None, detail=detail)

    def _hand_over(self, line: SnakeConnection, answer: ReadAnswer) -> None:
        self._fresh = False
        self._reader = None  # before the handler, which may ask again at once
        line.answered(answer.status, answer.body, answer.location, reusable=answer.reusable)


def _not_open(_request: bytes) -> None:
    raise RuntimeError("a request before the connection stood")


def _remember(known: dict[bytes, tuple[int, bytes]], answer: bytes, status: int, body: bytes) -> None:
    if len(known) >= MOST_KNOWN:
        known.clear()
    known[answer] = status, body
