"""The channels that the settings ask for."""

from runner.notify.apprise_channel import channels_from
from runner.notify.delivery import Channel
from runner.notify.smtp import SmtpChannel
from schemas.notification import NotificationSettings


def configured(settings: NotificationSettings) -> list[Channel]:
    """E-mail always (without a server its messages fail visibly, in their rows), and one channel for each URL.

    Raises:
        SettingsError: the file of URLs cannot be read.
    """
    return [SmtpChannel(settings.smtp), *channels_from(settings.channel_urls_file)]
