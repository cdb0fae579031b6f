"""The way into the outbox: a message becomes one row for each channel, and for each address of the e-mail channel, in
the transaction of what it tells."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from runner.notify.delivery import Channel
from runner.store import outbox
from runner.store.states import OutboxState
from schemas.message import EMAIL_CHANNEL, Message
from schemas.notification import NotificationSettings


class Outbound:
    """Knows the channels by name. Replacing them (`use`) takes effect from the next message on."""

    def __init__(self, channels: Sequence[Channel], settings: NotificationSettings) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._settings = settings

    def use(self, channels: Sequence[Channel], settings: NotificationSettings) -> None:
        """Replace channels and settings."""
        self._channels = {channel.name: channel for channel in channels}
        self._settings = settings

    def channel(self, name: str) -> Channel | None:
        """The channel of that name; None once it is no longer configured."""
        return self._channels.get(name)

    @property
    def settings(self) -> NotificationSettings:
        """How often and to whom."""
        return self._settings

    def put(self, session: Session, message: Message, now: datetime) -> None:
        """Put the message in for every channel and address; one that was put in before is not put in again."""
        gathered = self._settings.digest_hours > 0 and not message.urgent
        for name in self._channels:
            for each in message.by_address() if name == EMAIL_CHANNEL else [message.through(name)]:
                outbox.put(
                    session,
                    each,
                    execution_id=message.result.execution_id if message.result else None,
                    not_before=now,
                    state=OutboxState.DIGEST if gathered else OutboxState.PENDING,
                )
