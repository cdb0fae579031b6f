"""Whom to tell, how, and how often."""

from email.utils import parseaddr
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from schemas.base import Frozen
from schemas.outside_text import EmailAddress, line


class SmtpSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class SmtpSettings(Frozen):
    """The outgoing mail server; an empty host means: no e-mail."""

    host: str = ""
    """The mail server's name or address; empty: no mail."""
    port: int = Field(default=587, ge=1, le=65535)
    """The mail server's port: 587 for starttls, 465 for tls, 25 for none, as a rule."""
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    """How the way to the mail server is encrypted."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    username: str = ""
    """Who logs in there; empty: nobody."""
    password_file: Path | None = None
    """The password is read from this file, or from OUROBOROS_SMTP_PASSWORD; it never stands in the settings."""
    sender: str = "ouroboros@localhost"
    """An address, or a name with one: `Ouroboros <ouroboros@example.com>`."""
    timeout_s: float = Field(default=30, gt=0)
    """The longest that one step of the talk with it may take."""

    @field_validator("sender")
    @classmethod
    def _sender_is_an_address(cls, sender: str) -> str:
        # Here, as the parser is large, and only who reads settings with a sender needs it.
        from email.errors import HeaderParseError
        from email.headerregistry import Address

        name, address = parseaddr(sender)
        try:
            parsed = Address(name, addr_spec=address)
        except (HeaderParseError, ValueError, IndexError) as error:
            raise ValueError(f"{line(sender, 100)!r} is no address such as ouroboros@example.com: {error}") from error
        if not parsed.username or not parsed.domain or line(sender, 0) != sender:
            raise ValueError(f"{line(sender, 100)!r} is no address such as ouroboros@example.com")
        return sender

    @property
    def sender_name(self) -> str:
        """What mail programs show as the sender; `Ouroboros` where the setting names none."""
        return parseaddr(self.sender)[0] or "Ouroboros"

    @property
    def sender_address(self) -> str:
        """The bare address."""
        return parseaddr(self.sender)[1]


_NEW_NAMES = {"dead_man_url": "heartbeat_url", "dead_man_interval_s": "heartbeat_interval_s"}


class NotificationSettings(Frozen):
    """All that leaves the machine."""

    smtp: SmtpSettings = Field(default_factory=SmtpSettings)
    emails: list[EmailAddress] = Field(default_factory=list)
    """Told of everything, besides each schedule's own addresses."""
    channel_urls_file: Path | None = None
    """One Apprise URL a line (they hold secrets, so they stand in a file); also OUROBOROS_CHANNEL_URLS."""
    heartbeat_url: str = ""
    """Fetched every `heartbeat_interval_s` while the daemon is well, so that silence is noticed elsewhere."""
    heartbeat_interval_s: float = Field(default=300, gt=0)
    """How often `heartbeat_url` is asked for."""
    dashboard_url: str = ""
    """Base of the links to a run; empty: the run's folder is named instead."""
    digest_hours: float = Field(default=0, ge=0)
    """Over 0: completions are gathered and sent together this often; failures always go at once."""
    max_messages_per_hour: int = Field(default=20, ge=1)
    """Each address and each other channel counts. Beyond this the most urgent go at once, and the rest is gathered
    into a digest an hour later at the earliest; none is dropped."""
    deferral_alert_hours: float = Field(default=2, gt=0)
    """A run that has waited this long for the guards is reported once."""
    retry_backoff_s: float = Field(default=30, gt=0)
    """After a failed delivery the next try follows so much later, then twice as much, and so on."""
    retry_backoff_max_s: float = Field(default=3600, gt=0)
    """The longest wait between two tries."""
    give_up_after_hours: float = Field(default=72, gt=0)
    """A message that could not be delivered for so long is marked failed, and stays in the outbox. One that waits for
    the settings to be mended is never given up."""

    @model_validator(mode="before")
    @classmethod
    def _names_of_before_0_2(cls, values: Any) -> Any:
        """Settings files of 0.1 call the heartbeat URL a dead man's; both names at once are refused as unknown."""
        if not isinstance(values, dict):
            return values
        return {key if _NEW_NAMES.get(key, key) in values else _NEW_NAMES[key]: value for key, value in values.items()}
