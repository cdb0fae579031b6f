"""The ways out of a message: e-mail, what Apprise knows (chat services, phones, webhooks: over a hundred), and a
notification system of the user's own, as the operations guide has it; and how a failed delivery is told."""

import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Protocol

from schemas.errors import OuroborosError, SettingsError
from schemas.execution import ExecutionResult
from schemas.message import EMAIL_CHANNEL, Message, MessageKind
from schemas.notification import NotificationSettings, SmtpSettings
from schemas.outside_text import error_line, line, to_json
from schemas.secrets import read_secret

APPRISE_LIMIT_S = 120.0
"""For one message through Apprise, its libraries' loading included."""
_APPRISE = (sys.executable, "-P", "-m", "runner.notify.apprise_process")
URLS_VARIABLE = "OUROBOROS_CHANNEL_URLS"
_GOOD = (MessageKind.COMPLETION, MessageKind.DIGEST, MessageKind.TEST)


class DeliveryError(OuroborosError):
    """A message could not be delivered. `permanent`: trying again cannot help."""

    permanent = False


class PermanentDeliveryError(DeliveryError):
    """The address or the message is refused for good; it is marked failed and never blocks another one."""

    permanent = True


class SettingsDeliveryError(DeliveryError):
    """The settings are at fault, not the message: it waits for as long as they are not mended. `remedy` names the
    setting to change."""


class SettingsForAddressError(SettingsDeliveryError):
    """As the settings are, this one address cannot be reached; others may be."""


class Channel(Protocol):
    """One way out: e-mail, chat services, or the user's own object."""

    name: str

    def deliver(self, message: Message, now: datetime) -> None:
        """Deliver once.

        Raises:
            DeliveryError: not delivered; `permanent` says whether to try again.
        """
        ...


class EmailChannel:
    """E-mail, whose libraries are loaded at the first mail: many daemons send none for weeks."""

    name = EMAIL_CHANNEL

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    def deliver(self, message: Message, now: datetime) -> None:
        """Send the mail.

        Raises:
            DeliveryError: as `runner.notify.smtp.SmtpChannel`.
        """
        from runner.notify.smtp import SmtpChannel

        SmtpChannel(self._settings).deliver(message, now)


def configured(settings: NotificationSettings) -> list[Channel]:
    """E-mail always (without a server its messages fail visibly, in their rows), and one channel for each URL.

    Raises:
        SettingsError: the file of URLs cannot be read.
    """
    return [EmailChannel(settings.smtp), *channels_from(settings.channel_urls_file)]


class NotificationSystem(Protocol):
    """What `runner.notification_system` may be set to."""

    def send_training_completion_notification(self, result: ExecutionResult) -> object:
        """Told of every run that ended, well or not."""
        ...


class CustomChannel:
    """Hands ended runs to the user's object. Other messages have nothing that the guide's method could take, so they
    go to its `send_message(message)`, if it has one."""

    name = "custom"

    def __init__(self, system: NotificationSystem) -> None:
        self._system = system

    def deliver(self, message: Message, now: datetime) -> None:
        """Call the user's object.

        Raises:
            DeliveryError: it raised; it is called again later.
        """
        try:
            if message.result is not None:
                self._system.send_training_completion_notification(message.result)
            elif (send := getattr(self._system, "send_message", None)) is not None:
                send(message)
        except BaseException as error:  # a `sys.exit` of theirs must not end the thread that delivers
            raise DeliveryError(error_line(error), where=type(self._system).__name__) from error


class AppriseChannel:
    """One Apprise URL. The library lives in a process of its own, which is ended after `limit_s`: a service that
    answers byte by byte, or without an end, would hold up every other message."""

    def __init__(self, url: str, number: int, limit_s: float = APPRISE_LIMIT_S) -> None:
        self._url = url
        self._limit_s = limit_s
        # The URL holds secrets: it is named by its scheme and place in the list, in errors and rows alike.
        scheme, told, _ = url.partition("://")
        self.name = f"{line(scheme, 20) if told else 'unknown'} (channel {number})"

    def deliver(self, message: Message, now: datetime) -> None:
        """Send the message's text.

        Raises:
            SettingsError: Apprise does not know such a URL.
            DeliveryError: the service did not take it; Apprise does not tell for how long, so it is tried again.
        """
        from runner.notify.apprise_process import TAKEN, UNKNOWN_URL, AppriseRequest
        from runner.notify.render import as_text

        body, good = as_text(message, line(socket.gethostname())), message.kind in _GOOD
        request = AppriseRequest(url=self._url, title=f"[Ouroboros] {message.subject}", body=body, good=good)
        code = self._send(to_json(request))
        if code == UNKNOWN_URL:
            raise SettingsError(
                "Apprise does not understand this channel's URL", where=self.name, remedy="See Apprise's list of URLs."
            )
        if code != TAKEN:
            raise DeliveryError("the service did not take the message", where=self.name)

    def _send(self, request: str) -> int:
        """The process's exit code; what it says may hold the URL, and is shown to nobody."""
        try:
            return subprocess.run(
                _APPRISE, input=request.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=self._limit_s, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise DeliveryError(f"the service has not answered within {self._limit_s:g} s", where=self.name) from error
        except OSError as error:
            raise DeliveryError(f"no process for it can be started: {error.strerror}", where=self.name) from error


def channels_from(file: Path | None) -> list[AppriseChannel]:
    """A channel for each line of `file`, or of OUROBOROS_CHANNEL_URLS; empty lines and `#` comments are skipped.

    Raises:
        SettingsError: the file cannot be read.
    """
    urls = [each.strip() for each in read_secret(URLS_VARIABLE, file).splitlines()]
    return [AppriseChannel(url, number) for number, url in enumerate(urls, 1) if url and not url.startswith("#")]
