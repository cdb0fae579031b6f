"""Jobs of these tests are importable by the workers that they launch; and a mailbox."""

import email
import email.policy
import os
from pathlib import Path

import pytest
from daemon_world import DATABASE_VARIABLE

ON_POSTGRESQL_VARIABLE = "OUROBOROS_TESTS_ON_POSTGRESQL"


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


@pytest.fixture(autouse=True)
def history_where_it_is_asked_for(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tests/soak` sets the variable and runs the daemon's tests once more: each with a PostgreSQL database for itself,
    but for what is about SQLite's files."""
    if os.environ.get(ON_POSTGRESQL_VARIABLE) and request.node.get_closest_marker("sqlite_files") is None:
        monkeypatch.setenv(DATABASE_VARIABLE, request.getfixturevalue("postgresql_url"))
