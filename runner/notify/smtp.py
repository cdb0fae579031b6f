"""Delivery by e-mail: SMTP with STARTTLS or TLS and authentication."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from runner.notify.delivery import DeliveryError, SettingsDeliveryError
from runner.notify.plot import draw_win_rates
from runner.notify.render import as_email
from runner.notify.smtp_connection import connection
from runner.notify.smtp_faults import explain, login_impossible, recipients_refused
from schemas.errors import SettingsError, WorkerError
from schemas.execution import PICTURE_NAME
from schemas.message import Message
from schemas.notification import SmtpSecurity, SmtpSettings
from schemas.outside_text import line
from schemas.secrets import read_secret

PASSWORD_VARIABLE = "OUROBOROS_SMTP_PASSWORD"
PICTURE_LIMIT_BYTES = 500_000
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


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
    path = message.result.run_dir / PICTURE_NAME if message.result else None
    if path is None or not path.is_file():  # a pipe of that name would be waited on for ever
        return None
    try:
        with path.open("rb") as file:
            picture = file.read(PICTURE_LIMIT_BYTES + 1)
    except OSError:
        return None
    return picture if picture.startswith(PNG_HEAD) and len(picture) <= PICTURE_LIMIT_BYTES else None


def _plot(message: Message) -> bytes | None:
    if not message.win_rates:
        return None
    try:
        return draw_win_rates(message.win_rates)
    except WorkerError as error:
        # The news matters more than its picture; a drawing that fails now may work at the next attempt.
        raise DeliveryError(error.what, where=message.dedup_key) from error
