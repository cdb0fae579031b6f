"""What every way of delivering a message shares: the interface, and how a failure is told."""

from datetime import datetime
from typing import Protocol

from schemas.errors import OuroborosError
from schemas.message import Message


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
