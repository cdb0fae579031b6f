"""What systemd is told: READY, STATUS, WATCHDOG, STOPPING. Outside systemd all of it is a no-op."""

import time

import sdnotify

FEED_INTERVAL_S = 5.0


class ServiceNotifier:
    """Speaks sd_notify over the socket in NOTIFY_SOCKET, if there is one."""

    def __init__(self) -> None:
        self._socket = sdnotify.SystemdNotifier()
        self._last_status = ""
        self._fed_at_s = float("-inf")

    def ready(self) -> None:
        """The daemon serves."""
        self._socket.notify("READY=1")

    def feed(self) -> None:
        """The loop moves on: feed the watchdog, no more often than it needs."""
        now_s = time.monotonic()
        if now_s - self._fed_at_s >= FEED_INTERVAL_S:
            self._fed_at_s = now_s
            self._socket.notify("WATCHDOG=1")

    def show(self, status: str) -> None:
        """Let `systemctl status` show `status`."""
        if status != self._last_status:
            self._last_status = status
            self._socket.notify(f"STATUS={status}")

    def stopping(self) -> None:
        """The daemon drains."""
        self._socket.notify("STOPPING=1")
