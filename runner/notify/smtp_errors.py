"""What a mail server's refusal means: the settings are at fault (the mail waits until they are mended), the address or
the mail is (it is given up), or the moment is (it is tried again). Every one names the setting to change.

Codes by RFC 5321 (4.2) and RFC 4954 (6): 530 wants STARTTLS or a login first, 534 to 538 refuse the login, 454 only
for the moment; 5.7.x of RFC 3463 is a matter of policy.
"""

import smtplib
import socket
import ssl

from runner.notify.channels import (
    DeliveryError,
    PermanentDeliveryError,
    SettingsDeliveryError,
    SettingsForAddressError,
)
from schemas.notification import SmtpSecurity, SmtpSettings
from schemas.outside_text import LINE_LIMIT, line

_SMTP = "notifications.smtp"
_LOGIN = f"{_SMTP}.username and password_file (or OUROBOROS_SMTP_PASSWORD)"
_LOGIN_REFUSED = frozenset({534, 535, 536, 537, 538})
_FIRST_ENCRYPT_OR_LOG_IN = 530
_TLS_PORT = 465


def explain(error: Exception, settings: SmtpSettings) -> DeliveryError:
    """What to tell of an error that a delivery met."""
    place = line(f"{settings.host}:{settings.port}")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return recipients_refused(error.recipients, settings)
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered(error, settings, place)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return _not_offered(error, settings, place)
    if isinstance(error, ssl.SSLError):
        return _not_encrypted(error, place)
    return _not_reached(error, settings, place)


def recipients_refused(refused: dict[str, tuple[int, bytes]], settings: SmtpSettings) -> DeliveryError:
    """One address at least was refused, each with its answer."""
    place = f"{settings.host}:{settings.port}"
    answers = "; ".join(f"{line(who)}: {code} {_words(text)}" for who, (code, text) in refused.items())
    what = f"the mail server refused {answers}"
    if any(_wants_login(code, text) for code, text in refused.values()):
        return SettingsForAddressError(what, where=place, remedy=_log_in(settings))
    if all(code >= 500 for code, _ in refused.values()):
        remedy = "Correct notifications.emails, or the schedule's notification_emails, then `ouroboros notify test`."
        return PermanentDeliveryError(what, where=place, remedy=remedy)
    return DeliveryError(what, where=place, remedy="Check notifications.emails if it lasts.")


def login_impossible(error: ValueError, settings: SmtpSettings) -> DeliveryError:
    """No login could even be tried."""
    place = f"{settings.host}:{settings.port}"
    if isinstance(error, UnicodeError):  # whose own words show a part of the password
        what = "the login for the mail server holds characters outside ASCII, which smtplib cannot send"
        return SettingsDeliveryError(what, where=place, remedy=f"Correct {_LOGIN}.")
    what = f"the mail server's answer to the login makes no sense ({line(str(error))})"
    return DeliveryError(what, where=place, remedy=f"If it lasts, check {_SMTP}.host and port.")


def _answered(error: smtplib.SMTPResponseException, settings: SmtpSettings, place: str) -> DeliveryError:
    code, text = error.smtp_code, error.smtp_error
    what = f"the mail server answered {code} {_words(text)}"
    if (isinstance(error, smtplib.SMTPAuthenticationError) and code >= 500) or code in _LOGIN_REFUSED:
        return SettingsDeliveryError(what, where=place, remedy=f"Correct {_LOGIN}.")
    if code == _FIRST_ENCRYPT_OR_LOG_IN or _wants_login(code, text):
        remedy = f'Set {_SMTP}.security to "starttls".' if "TLS" in _words(text).upper() else _log_in(settings)
        return SettingsDeliveryError(what, where=place, remedy=remedy)
    if code < 500:
        return DeliveryError(what, where=place, remedy=f"If it lasts, ask the server's keeper, or change {_SMTP}.host.")
    if isinstance(error, smtplib.SMTPSenderRefused):
        remedy = f"Set {_SMTP}.sender to an address that this server lets you send from."
        return SettingsDeliveryError(what, where=place, remedy=remedy)
    if isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return SettingsDeliveryError(what, where=place, remedy=f"Check {_SMTP}.host and port.")
    remedy = f"The server will not have this mail; check {_SMTP}.sender and notifications.emails."
    return PermanentDeliveryError(what, where=place, remedy=remedy)


def _not_offered(error: smtplib.SMTPNotSupportedError, settings: SmtpSettings, place: str) -> DeliveryError:
    if settings.security is SmtpSecurity.STARTTLS and "STARTTLS" in str(error):
        what = "the mail server does not offer STARTTLS"
        remedy = (
            f'Set {_SMTP}.security to "tls" (and port to 465) if it offers that, or to "none" if nobody can listen'
            " between it and this machine."
        )
    elif "AUTH" in str(error).upper():
        what = "the mail server does not offer a login here"
        remedy = f'Set {_SMTP}.security to "starttls" if it wants that first, or leave {_SMTP}.username empty.'
    else:
        what = f"the mail server cannot do what the mail asks for: {line(str(error))}"
        remedy = f"Write {_SMTP}.sender and notifications.emails in plain ASCII."
        return PermanentDeliveryError(what, where=place, remedy=remedy)
    return SettingsDeliveryError(what, where=place, remedy=remedy)


def _not_encrypted(error: ssl.SSLError, place: str) -> DeliveryError:
    if isinstance(error, ssl.SSLCertVerificationError):
        what = f"the mail server's certificate is not trusted: {line(error.verify_message)}"
        hostname = "mismatch" in error.verify_message or "not valid for" in error.verify_message
        remedy = (
            f"Set {_SMTP}.host to the name that stands in the certificate."
            if hostname
            else f"Set {_SMTP}.ca_file to the certificate (PEM) of whoever signed it, or get the server a valid one."
        )
        return SettingsDeliveryError(what, where=place, remedy=remedy)
    if error.reason in {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"}:
        what = "the mail server does not speak TLS from the first byte on this port"
        remedy = f'Set {_SMTP}.security to "starttls", or {_SMTP}.port to the one for TLS (465).'
        return SettingsDeliveryError(what, where=place, remedy=remedy)
    what = f"the connection to the mail server cannot be encrypted: {line(str(error))}"
    return DeliveryError(what, where=place, remedy=f"If it lasts, check {_SMTP}.security, port and ca_file.")


def _not_reached(error: Exception, settings: SmtpSettings, place: str) -> DeliveryError:
    if isinstance(error, socket.gaierror):
        what = f"the mail server's name cannot be resolved: {error.strerror}"
        remedy = f"Check {_SMTP}.host, and that this machine resolves names."
    elif isinstance(error, ValueError):  # a name with a NUL, or with a label that is empty or too long
        what = f"the mail server's name is none: {line(str(error))}"
        return SettingsDeliveryError(what, where=place, remedy=f"Correct {_SMTP}.host.")
    elif isinstance(error, smtplib.SMTPServerDisconnected):
        what = f"the mail server ended the connection: {line(str(error))}"
        remedy = _if_it_lasts(settings)
    else:
        what = f"the mail server cannot be reached: {line(str(error)) or type(error).__name__}"
        remedy = _if_it_lasts(settings)
    return DeliveryError(what, where=place, remedy=remedy)


def _wants_login(code: int, text: bytes | str) -> bool:
    """A server that relays only for whom it knows says so with 530, or with 55x and a word on relaying."""
    words = _words(text).lower()
    return code == _FIRST_ENCRYPT_OR_LOG_IN or (code >= 500 and ("relay" in words or "authenticat" in words))


def _log_in(settings: SmtpSettings) -> str:
    return f"Correct {_LOGIN}." if settings.username else f"Set {_LOGIN}."


def _if_it_lasts(settings: SmtpSettings) -> str:
    if settings.port == _TLS_PORT and settings.security is not SmtpSecurity.TLS:
        return f'Port 465 is for {_SMTP}.security "tls", this says "{settings.security.value}".'
    if settings.port != _TLS_PORT and settings.security is SmtpSecurity.TLS:
        return f'Port {settings.port} is seldom for {_SMTP}.security "tls"; check both.'
    return f"If it lasts, check {_SMTP}.host and port."


def _words(text: bytes | str) -> str:
    return line(text, LINE_LIMIT)
