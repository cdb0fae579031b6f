"""Delivery to chat services, phones and webhooks by Apprise, which knows over a hundred of them."""

import socket
from datetime import datetime
from pathlib import Path

from runner.notify.delivery import DeliveryError
from schemas.errors import SettingsError
from schemas.message import Message, MessageKind
from schemas.outside_text import line
from schemas.secrets import read_secret

URLS_VARIABLE = "OUROBOROS_CHANNEL_URLS"
_GOOD = (MessageKind.COMPLETION, MessageKind.DIGEST, MessageKind.TEST)


class AppriseChannel:
    """One Apprise URL. The library is imported at the first delivery: it is large, and many never use it."""

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        # The URL holds secrets: it is named by its scheme and place in the list, in errors and rows alike.
        scheme, told, _ = url.partition("://")
        self.name = f"{line(scheme, 20) if told else 'unknown'} (channel {number})"

    def deliver(self, message: Message, now: datetime) -> None:
        """Send the message's text.

        Raises:
            SettingsError: Apprise does not know such a URL.
            DeliveryError: the service did not take it; Apprise does not tell for how long, so it is tried again.
        """
        import apprise

        from runner.notify.render import as_text

        service = apprise.Apprise()
        if not service.add(self._url):
            raise SettingsError(
                "Apprise does not understand this channel's URL", where=self.name, remedy="See Apprise's list of URLs."
            )
        good = message.kind in _GOOD
        taken = service.notify(
            title=f"[Ouroboros] {message.subject}",
            body=as_text(message, line(socket.gethostname())),
            notify_type=apprise.NotifyType.SUCCESS if good else apprise.NotifyType.WARNING,
        )
        if not taken:
            raise DeliveryError("the service did not take the message", where=self.name)


def channels_from(file: Path | None) -> list[AppriseChannel]:
    """A channel for each line of `file`, or of OUROBOROS_CHANNEL_URLS; empty lines and `#` comments are skipped.

    Raises:
        SettingsError: the file cannot be read.
    """
    urls = [each.strip() for each in read_secret(URLS_VARIABLE, file).splitlines()]
    return [AppriseChannel(url, number) for number, url in enumerate(urls, 1) if url and not url.startswith("#")]
