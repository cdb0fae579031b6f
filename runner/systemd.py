"""What systemd is told: READY, STATUS, WATCHDOG, STOPPING. Outside systemd all of it is a no-op."""

import sdnotify


class ServiceNotifier:
    """Speaks sd_notify over the socket in NOTIFY_SOCKET, if there is one."""

    def __init__(self) -> None:
        self._socket = sdnotify.SystemdNotifier()
        self._last_status = ""

    def ready(self) -> None:
        """The daemon serves."""
        self._socket.notify("READY=1")

    def alive(self, status: str) -> None:
        """The loop turned: feed the watchdog, and show `status` in `systemctl status` when it changed."""
        lines = ["WATCHDOG=1"]
        if status != self._last_status:
            lines.append(f"STATUS={status}")
            self._last_status = status
        self._socket.notify("\n".join(lines))

    def stopping(self) -> None:
        """The daemon drains."""
        self._socket.notify("STOPPING=1")

    def reloading(self, monotonic_usec: int) -> None:
        """Settings are being read again; `ready` follows."""
        self._socket.notify(f"RELOADING=1\nMONOTONIC_USEC={monotonic_usec}")
