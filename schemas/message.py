"""What is told to people, before it takes the form of a mail or a chat line."""

import hashlib
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.base import Frozen
from schemas.execution import ExecutionResult
from schemas.outside_text import LineText, NameText, PassageText

EMAIL_CHANNEL = "e-mail"


class MessageKind(StrEnum):
    """What a message is about."""

    COMPLETION = "completion"
    FAILURE = "failure"
    DEFERRAL = "deferral"
    STAGNATION = "stagnation"
    DEGRADATION = "degradation"
    CRASH_RECOVERY = "crash_recovery"
    ALERT = "alert"
    DIGEST = "digest"
    TEST = "test"


class WinRatePoint(Frozen):
    """One finished run on the way: a measured win rate and the games behind it."""

    completed_at: datetime
    win_rate: float
    low: float | None = None
    high: float | None = None
    games: int


class Message(Frozen):
    """What is told, before it takes the form of a mail or a chat line. This is what the outbox holds."""

    kind: MessageKind
    dedup_key: str
    """Two messages with one key are one message; the Message-ID of the mail is made of it."""
    channel: str = EMAIL_CHANNEL
    """The one channel that delivers it: each has its own row, so that one that fails holds up no other."""
    subject: LineText
    headline: PassageText
    """One plain sentence: what happened."""
    facts: list[tuple[NameText, PassageText]] = Field(default_factory=list)
    """Label and value, in the order in which they are shown."""
    advice: PassageText = ""
    """What the reader can do next."""
    log_tail: list[LineText] = Field(default_factory=list)
    link: LineText = ""
    """A URL of the dashboard, or the run's folder."""
    win_rates: list[WinRatePoint] = Field(default_factory=list)
    """History for the plot; empty: no plot."""
    recipients: list[str] = Field(default_factory=list)
    """E-mail addresses, a single one in the outbox; empty: only the other channels hear of it."""
    created_at: datetime
    result: ExecutionResult | None = None
    """The execution it is about: what a notification system of the user's own is handed."""

    def through(self, channel: str) -> "Message":
        """The same message for another channel, with a key of its own."""
        return self.model_copy(update={"channel": channel, "dedup_key": f"{self.dedup_key}@{channel}"})

    def by_address(self) -> "list[Message]":
        """One message for each recipient, with a key of its own: a mail server may take one address and refuse
        another, and whoever it took must not get the mail again when the others are tried again."""
        return [
            self.model_copy(update={"recipients": [address], "dedup_key": f"{self.dedup_key}>{address}"})
            for address in self.recipients
        ]

    @property
    def urgent(self) -> bool:
        """Urgent messages never wait for a digest."""
        return self.kind not in (MessageKind.COMPLETION, MessageKind.DEFERRAL)


def message_id(dedup_key: str, sender: str) -> str:
    """Of a mail, `<hash@domain>`: the same for the same key."""
    domain = sender.rpartition("@")[2] or "localhost"
    return f"<{hashlib.sha256(dedup_key.encode()).hexdigest()[:32]}@{domain}>"
