"""What systemd is told: READY, STATUS, WATCHDOG, STOPPING, EXTEND_TIMEOUT. Outside systemd all of it is a no-op."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import sdnotify

SOCKET_VARIABLE = "NOTIFY_SOCKET"
FEED_INTERVAL_S = 5.0
EXTENSION_S = 120.0
"""How much longer the service manager is asked to wait, each time."""
EXTEND_INTERVAL_S = 20.0


class ServiceNotifier:
    """Speaks sd_notify over the socket in NOTIFY_SOCKET, if there is one, from `__enter__` to `__exit__`."""

    def __init__(self) -> None:
        self._systemd: sdnotify.SystemdNotifier | None = None
        self._last_status = ""
        self._fed_at_s = float("-inf")

    def __enter__(self) -> Self:
        """Open the socket."""
        if os.environ.get(SOCKET_VARIABLE):
            self._systemd = sdnotify.SystemdNotifier()
            if self._systemd.socket is not None:
                # A service manager that does not read for a while must not hold up the loop: what finds no room is
                # lost, and the watchdog is fed again.
                self._systemd.socket.setblocking(False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._systemd is not None and self._systemd.socket is not None:
            self._systemd.socket.close()
        self._systemd = None

    @contextmanager
    def extending(self, what: str) -> Iterator[None]:
        """While the block lasts, the start may take longer than the unit's limit: say so again and again.

        Args:
            what: shown as the status meanwhile.
        """
        if self._systemd is None:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._extend, args=(what, done), name="ouroboros-extending", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _extend(self, what: str, done: threading.Event) -> None:
        self.show(what)
        while True:
            self._tell(f"EXTEND_TIMEOUT_USEC={int(EXTENSION_S * 1e6)}")
            if done.wait(EXTEND_INTERVAL_S):
                return

    def ready(self) -> None:
        """The daemon serves."""
        self._tell("READY=1")

    def feed(self) -> None:
        """The loop moves on: feed the watchdog, no more often than it needs."""
        now_s = time.monotonic()
        if now_s - self._fed_at_s >= FEED_INTERVAL_S:
            self._fed_at_s = now_s
            self._tell("WATCHDOG=1")

    def show(self, status: str) -> None:
        """Let `systemctl status` show `status`."""
        if status != self._last_status:
            self._last_status = status
            self._tell(f"STATUS={status}")

    def stopping(self) -> None:
        """The daemon drains."""
        self._tell("STOPPING=1")

    def _tell(self, line: str) -> None:
        if self._systemd is not None:
            self._systemd.notify(line)
