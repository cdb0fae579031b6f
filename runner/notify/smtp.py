"""Delivery by e-mail: SMTP with STARTTLS or TLS and authentication."""

import smtplib
import socket
import ssl
from datetime import datetime

from runner.notify.delivery import DeliveryError, PermanentDeliveryError
from runner.notify.plot import draw_win_rates
from runner.notify.render import as_email
from schemas.errors import WorkerError
from schemas.message import Message
from schemas.notification import SmtpSecurity, SmtpSettings
from schemas.secrets import read_secret

PASSWORD_VARIABLE = "OUROBOROS_SMTP_PASSWORD"


class SmtpChannel:
    """Sends each message to its recipients in one transaction with the mail server; the outbox names one for each."""

    name = "e-mail"

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    def deliver(self, message: Message, now: datetime) -> None:
        """Send the mail. A message without recipients needs no mail and counts as delivered.

        Raises:
            DeliveryError: connection, time-out, or an answer 4xx to one of the addresses at least: try again.
            PermanentDeliveryError: an answer 5xx, credentials refused, or no mail server set.
        """
        if not message.recipients:
            return
        if not self._settings.host:
            raise PermanentDeliveryError(
                "no mail server is set", where="notifications.smtp.host", remedy="Set it, then `ouroboros notify test`."
            )
        mail = as_email(message, self._settings.sender, socket.gethostname(), _plot(message), now)
        try:
            with self.connected() as server:
                refused = server.send_message(mail)  # smtplib itself raises only where it was taken for nobody
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPResponseException as error:
            text = f"the mail server answered {error.smtp_code} {error.smtp_error!r}"
            raise _failure(error.smtp_code >= 500, text, self._place()) from error
        except smtplib.SMTPNotSupportedError as error:
            raise _failure(True, f"the mail server cannot do what the settings ask: {error}", self._place()) from error
        except (smtplib.SMTPException, OSError) as error:
            raise _failure(False, f"the mail server cannot be reached: {error}", self._place()) from error
        if refused:
            answers = "; ".join(f"{who}: {code} {text!r}" for who, (code, text) in refused.items())
            permanent = all(code >= 500 for code, _ in refused.values())
            raise _failure(permanent, f"the mail server refused {answers}", self._place())

    def connected(self) -> smtplib.SMTP:
        """A connection, encrypted and logged in as the settings say.

        Raises:
            OSError, smtplib.SMTPException: as they come; `deliver` and the doctor tell them apart.
        """
        settings = self._settings
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
        if settings.security is SmtpSecurity.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
        try:
            if settings.security is SmtpSecurity.STARTTLS:
                server.starttls(context=context)
            if settings.username:
                server.login(settings.username, read_secret(PASSWORD_VARIABLE, settings.password_file))
        except BaseException:
            server.close()
            raise
        return server

    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"


def _failure(permanent: bool, what: str, where: str) -> DeliveryError:
    kind = PermanentDeliveryError if permanent else DeliveryError
    remedy = "Check notifications.smtp and the addresses, then `ouroboros notify test`." if permanent else ""
    return kind(what, where=where, remedy=remedy)


def _plot(message: Message) -> bytes | None:
    if not message.win_rates:
        return None
    try:
        return draw_win_rates(message.win_rates)
    except WorkerError as error:
        # The news matters more than its picture; a drawing that fails now may work at the next attempt.
        raise DeliveryError(error.what, where=message.dedup_key) from error
