"""A connection to a mail server that may do anything: it has a deadline, and a limit on what it may say.

smtplib's own time limit is for each wait alone: a server that sends a byte now and then, or an answer without an end,
would hold the sender for ever.
"""

import smtplib
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

from schemas.notification import SmtpSecurity, SmtpSettings

DEADLINE_TIMEOUTS = 10
"""All that is said for one mail may take so many times `timeout_s`."""
MOST_BYTES = 1_000_000
"""Of all that a server says in one connection."""


class _CountedFile:
    """What smtplib reads answers from."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = MOST_BYTES

    def readline(self, limit: int) -> bytes:
        """One line.

        Raises:
            OSError: the server has said too much by now.
        """
        line: bytes = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise OSError(f"it said more than {MOST_BYTES:,} bytes")
        return line

    def close(self) -> None:
        """As the file's own."""
        self._file.close()


class _Limited(smtplib.SMTP):
    """Whatever smtplib waits for ends at the deadline, as if the server had hung up."""

    _overdue = False
    _timer: threading.Timer | None = None
    _answers: Any = None

    @property
    def file(self) -> Any:
        """smtplib sets it once it is connected, and to None where it is not."""
        return self._answers

    @file.setter
    def file(self, file: Any) -> None:
        self._answers = None if file is None else _CountedFile(file)

    def connect(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """The deadline begins with the connection."""
        self._timer = threading.Timer(DEADLINE_TIMEOUTS * self.timeout, self._end)
        self._timer.daemon = True
        self._timer.start()
        try:
            return super().connect(*args, **kwargs)
        except BaseException:
            self._timer.cancel()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's.

        Raises:
            smtplib.SMTPServerDisconnected: the connection ended, or the deadline ended it.
        """
        try:
            answer = super().getreply()
        except smtplib.SMTPServerDisconnected:
            if not self._overdue:
                raise
        if self._overdue:  # half an answer, then, is none
            self.close()
            raise smtplib.SMTPServerDisconnected(
                f"it took longer than {DEADLINE_TIMEOUTS * self.timeout:g} s over one mail"
            )
        return answer

    def close(self) -> None:
        """Called by smtplib too, wherever it gives up."""
        if self._timer is not None:
            self._timer.cancel()
        super().close()

    def _end(self) -> None:
        self._overdue = True
        if isinstance(self.sock, socket.socket):
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not the TLS layer's, which the reader is using


class _LimitedTls(_Limited, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


def connection(settings: SmtpSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    """Connected, and greeted.

    Raises:
        OSError, smtplib.SMTPException: it is not.
    """
    if settings.security is SmtpSecurity.TLS:
        return _LimitedTls(settings.host, settings.port, timeout=settings.timeout_s, context=context)
    return _Limited(settings.host, settings.port, timeout=settings.timeout_s)
