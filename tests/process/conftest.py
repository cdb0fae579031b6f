"""Jobs of these tests are importable by the workers that they launch; and a mailbox."""

import email
import email.policy
from pathlib import Path

import pytest


class Mailbox:
    """A handler of aiosmtpd that keeps what arrives."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []

    async def handle_DATA(self, server, session, envelope) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"


@pytest.fixture
def filed_mail() -> Mailbox:
    """Empty."""
    return Mailbox()


@pytest.fixture(autouse=True)
def jobs_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
