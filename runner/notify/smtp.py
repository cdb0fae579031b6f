"""Delivery by e-mail: SMTP with STARTTLS or TLS and authentication.

smtplib's own time limit is for each wait alone: a server that sends a byte now and then, or an answer without an end,
would hold the sender for ever.
"""

import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from runner.notify.channels import DeliveryError, SettingsDeliveryError
from runner.notify.plot import draw_win_rates
from runner.notify.render import as_email
from runner.notify.smtp_errors import explain, login_impossible, recipients_refused
from schemas.errors import SettingsError, WorkerError
from schemas.execution import PICTURE_NAME
from schemas.files import open_plain
from schemas.message import Message
from schemas.notification import SmtpSecurity, SmtpSettings
from schemas.outside_text import error_line, line
from schemas.secrets import read_secret

DEADLINE_TIMEOUTS = 10
"""All that is said for one mail may take so many times `timeout_s`."""
MOST_BYTES = 1_000_000
"""Of all that a server says in one connection."""
PASSWORD_VARIABLE = "OUROBOROS_SMTP_PASSWORD"
PICTURE_LIMIT_BYTES = 500_000
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_log = logging.getLogger("ouroboros.mail")


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


class SmtpChannel:
    """Sends each message to its recipients in one transaction with the mail server; the outbox names one for each."""

    name = "e-mail"

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    def deliver(self, message: Message, now: datetime) -> None:
        """Send the mail. A message without recipients needs no mail and counts as delivered.

        Raises:
            DeliveryError: connection, time-out, or an answer 4xx to one of the addresses at least: try again.
            SettingsDeliveryError: the server will have nothing from us as we are set up.
            PermanentDeliveryError: an answer 5xx to this address or mail, or no mail server set.
        """
        if not message.recipients:
            return
        mail = as_email(message, self._settings, line(socket.gethostname()), _plot(message), now, _run_picture(message))
        with self.connected() as server:
            try:
                refused = server.send_message(mail)  # smtplib itself raises only where it was taken for nobody
            except (smtplib.SMTPException, OSError) as error:
                raise explain(error, self._settings) from error
        if refused:
            raise recipients_refused(refused, self._settings)

    def check(self) -> None:
        """Connect and log in, as a delivery does first.

        Raises:
            DeliveryError: as `deliver`.
        """
        with self.connected() as server:
            try:
                server.noop()
            except (smtplib.SMTPException, OSError) as error:
                raise explain(error, self._settings) from error

    @contextmanager
    def connected(self) -> Iterator[smtplib.SMTP]:
        """A connection, encrypted and logged in as the settings say; closed at the end.

        Raises:
            DeliveryError: there is none; a `SettingsDeliveryError` where the settings are at fault.
        """
        if not self._settings.host:
            remedy = "Set it, then `ouroboros notify retry`."
            raise DeliveryError("no mail server is set", where="notifications.smtp.host", remedy=remedy)
        context, password = self._trusted(), self._password()
        try:
            server = connection(self._settings, context)
            try:
                if self._settings.security is SmtpSecurity.STARTTLS:
                    server.starttls(context=context)
                if self._settings.username:
                    self._log_in(server, password)
            except BaseException:
                server.close()
                raise
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise explain(error, self._settings) from error
        try:
            yield server
        finally:
            _leave(server)

    def _log_in(self, server: smtplib.SMTP, password: str) -> None:
        try:
            server.login(self._settings.username, password)
        except ValueError as error:  # of a character that no login can hold, or of a server's answer
            raise login_impossible(error, self._settings) from error

    def _trusted(self) -> ssl.SSLContext:
        file = self._settings.ca_file
        try:
            return ssl.create_default_context(cafile=str(file) if file else None)
        except OSError as error:  # ssl.SSLError is one: a file that holds no certificate
            problem = "holds no certificate (PEM)" if isinstance(error, ssl.SSLError) else error.strerror
            raise SettingsDeliveryError(
                f"the certificates to trust cannot be read: {problem}",
                where=str(file),
                remedy="Correct notifications.smtp.ca_file, or leave it out to trust the system's.",
            ) from error

    def _password(self) -> str:
        if not self._settings.username:
            return ""
        try:
            return read_secret(PASSWORD_VARIABLE, self._settings.password_file)
        except SettingsError as error:
            remedy = f"Correct notifications.smtp.password_file, or set {PASSWORD_VARIABLE}."
            raise SettingsDeliveryError(error.what, where=error.where, remedy=remedy) from error


def _leave(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()  # it has hung up already; what it answered before counts


def _run_picture(message: Message) -> bytes | None:
    """What the run left; a file that is missing, too large or no PNG is left out: its worker may be anybody's."""
    if message.result is None:
        return None
    try:
        with open_plain(message.result.run_dir / PICTURE_NAME) as file:
            picture = file.read(PICTURE_LIMIT_BYTES + 1)
    except OSError:
        return None
    return picture if picture.startswith(PNG_HEAD) and len(picture) <= PICTURE_LIMIT_BYTES else None


def _plot(message: Message) -> bytes | None:
    if not message.win_rates:
        return None
    try:
        return draw_win_rates(message.win_rates)
    except (WorkerError, OSError) as error:  # the news matters more than its picture
        _log.warning("The mail %s goes without its plot: %s", message.dedup_key, error_line(error))
        return None
