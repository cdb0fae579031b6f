"""The channels that the settings ask for."""

from datetime import datetime

from runner.notify.apprise_channel import channels_from
from runner.notify.delivery import Channel
from schemas.message import EMAIL_CHANNEL, Message
from schemas.notification import NotificationSettings, SmtpSettings


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
