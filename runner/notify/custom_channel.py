"""A notification system of the user's own, as the operations guide has it."""

from datetime import datetime
from typing import Protocol

from runner.notify.delivery import DeliveryError
from schemas.execution import ExecutionResult
from schemas.message import Message
from schemas.outside_text import error_line


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
