"""Connections of the web process: each request has its time to arrive, and a head of a bounded length.

Uvicorn has neither limit: whoever opens as many connections as it takes and says nothing, or never ends a header, would
keep everybody else out, or fill the memory; no token is asked for before a request is whole.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ARRIVAL_LIMIT_S = 30.0
"""For a request, from its connection or its first byte to its last one."""
MOST_HEAD_BYTES = 65_536
"""Of address and headers."""


class PatientConnection(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`."""

    _overdue: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is awaited."""
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._has_come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What came is parsed; a head without an end is refused."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"Address and headers hold at most {MOST_HEAD_BYTES:,} bytes.")

    def on_message_begin(self) -> None:
        """A request begins, perhaps one behind another."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        if self._overdue is None:
            self._await_request()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is whole."""
        self._has_come()
        super().on_message_complete()

    def _await_request(self) -> None:
        self._overdue = self.loop.call_later(ARRIVAL_LIMIT_S, self._end)

    def _has_come(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _end(self) -> None:
        self._overdue = None
        if not self.transport.is_closing():
            self.transport.close()
