"""What could not be delivered is shown with its reason by three commands, and put on its way again by a fourth."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from migrations.upgrade import upgrade
from runner.cli import cli
from runner.commands import output
from runner.notify import messages
from runner.notify.dispatcher import Dispatcher, Notifier
from runner.notify.smtp import SmtpChannel
from runner.store import outbox
from runner.store.engine import Store
from schemas.notification import NotificationSettings, SmtpSettings

REASON = "Correct notifications.smtp.ca_file, or leave it out to trust the system's."


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    monkeypatch.setattr(output.console, "width", output.PLAIN_WIDTH)
    opened = Store(f"sqlite:///{tmp_path / 'automation_tracking.db'}", 5)
    upgrade(opened, 1, datetime.now(UTC))
    smtp = SmtpSettings(host="127.0.0.1", port=1, ca_file=tmp_path / "gone.pem")
    settings = NotificationSettings(emails=["a@example.com", "b@example.com"], smtp=smtp)
    (tmp_path / "settings.json").write_text('{"notifications": ' + settings.model_dump_json() + "}")
    notifier = Notifier([SmtpChannel(smtp)], settings)
    now = datetime.now(UTC)
    with opened.write() as session:
        notifier.put(session, messages.alert("the night's alert", "x", "", "k", settings, now), now)
    assert Dispatcher(opened, notifier, lambda _point: None).deliver_due(now) == 0
    yield opened
    opened.close()


def told(*arguments: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.console, "_file", None)
        result = CliRunner().invoke(cli, arguments)
    return " ".join(f"{result.output} {result.exception or ''}".split())


def test_status_doctor_and_waiting_name_the_setting(store: Store) -> None:
    assert "mail 2 messages wait and 0 were given up: the certificates to trust cannot be read" in told("status")
    assert REASON in told("status")
    doctor = told("doctor")
    assert REASON in doctor
    assert "2 messages wait and 0 were given up" in doctor
    waiting = told("notify", "waiting")
    assert "2 pending, 0 for the digest, 0 sent, 0 failed" in waiting
    assert "the night's alert a@example.com 1" in waiting
    assert "the night's alert b@example.com 0" in waiting
    assert waiting.count(REASON) == 1


def test_retry_makes_all_of_it_due_also_what_was_given_up(store: Store) -> None:
    now = datetime.now(UTC)
    with store.write() as session:
        ids = [record.outbox_id for record in outbox.take_due(session, now + timedelta(days=1), 10)]
        outbox.mark_failed(session, ids[0], "no such user")
        assert outbox.take_due(session, now, 10) == []
    assert "given up" in told("notify", "waiting")
    assert told("notify", "retry").strip() == "2 messages are due again; `ouroboros up` sends them now."
    with store.read() as session:
        due = outbox.take_due(session, datetime.now(UTC), 10)
        assert sorted(record.outbox_id for record in due) == sorted(ids)
    with store.write() as session:
        for number in ids:
            outbox.mark_sent(session, number, "<x@y>", now)
    assert told("notify", "retry").strip() == "Nothing waits that could not be delivered."
    assert "mail" not in told("status")
