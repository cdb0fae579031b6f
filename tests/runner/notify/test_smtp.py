"""Delivery to a real SMTP server: plain, STARTTLS, TLS, authentication, and every way to be refused."""

import email
import email.policy
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from pydantic import ValidationError
from sqlalchemy import text

from migrations.upgrade import upgrade
from runner.notify import messages, smtp
from runner.notify.channels import (
    DeliveryError,
    PermanentDeliveryError,
    SettingsDeliveryError,
    SettingsForAddressError,
)
from runner.notify.dispatcher import Dispatcher, Notifier
from runner.notify.smtp import PASSWORD_VARIABLE, PICTURE_LIMIT_BYTES, PNG_HEAD, SmtpChannel
from runner.store import outbox
from runner.store.engine import Store
from schemas.automation import TrainingSchedule
from schemas.errors import WorkerError
from schemas.execution import PICTURE_NAME
from schemas.notification import NotificationSettings, SmtpSecurity, SmtpSettings
from schemas.settings import describe


class Mailbox:
    """Takes mail; `refuse_to` and `answer` make it refuse some."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.refuse_to: dict[str, str] = {}
        self.answer = "250 taken"

    async def handle_RCPT(self, server: Server, session: Session, envelope: Envelope, address: str, options: list[str]):
        if address in self.refuse_to:
            return self.refuse_to[address]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer


class FreePortController(Controller):
    """Listens on whatever port is free; its own start-up probe would need to know it beforehand."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        with socket.create_connection((self.hostname, self.port), 60):
            self._factory_invoked.wait(60)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    return context, ca_file


@pytest.fixture
def plain_server(mailbox: Mailbox) -> Iterator[SmtpSettings]:
    controller = FreePortController(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    yield SmtpSettings(host="127.0.0.1", port=controller.port, security=SmtpSecurity.NONE, timeout_s=10)
    controller.stop()


def accepts_snake(server, session, envelope, mechanism, data) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"snake", b"ssss")
    return AuthResult(success=good, handled=False)


@pytest.fixture
def message(result, schedule, settings):
    return messages.run_ended(result(), schedule, [], settings)


def test_a_mail_arrives_whole(plain_server, mailbox, result, schedule, settings, win_rates):
    plotted = messages.run_ended(result(), schedule, win_rates, settings)
    SmtpChannel(plain_server).deliver(plotted, result().completed_at)
    (mail,) = mailbox.mails
    assert mail["To"] == "snake@example.com, boss@example.com"
    assert "56.1%" in mail["Subject"]
    assert mail["Message-ID"].endswith("@localhost>")
    assert "12,345" in mail.get_body(("plain",)).get_content()
    assert [part.get_content_type() for part in mail.walk() if part.get_content_maintype() == "image"] == ["image/png"]


@pytest.mark.parametrize("trouble", [WorkerError("matplotlib is broken"), OSError(12, "Cannot allocate memory")])
def test_a_plot_that_cannot_be_drawn_keeps_no_mail_back(
    plain_server, mailbox, result, schedule, settings, win_rates, monkeypatch, trouble
):
    def broken(_points: object) -> bytes:
        raise trouble

    monkeypatch.setattr(smtp, "draw_win_rates", broken)
    plotted = messages.run_ended(result(), schedule, win_rates, settings)
    SmtpChannel(plain_server).deliver(plotted, result().completed_at)
    (mail,) = mailbox.mails
    assert [part.get_content_maintype() for part in mail.walk() if not part.is_multipart()] == ["text", "text"]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (PNG_HEAD + b"rest", True),
        (b"<svg onload=alert(1)>", False),
        (PNG_HEAD + bytes(PICTURE_LIMIT_BYTES), False),
        (None, False),
    ],
)
def test_a_runs_own_picture_is_shown_in_its_mail(
    content, shown, plain_server, mailbox, result, schedule, settings, tmp_path
):
    ended = result(run_dir=tmp_path)
    if content is None:
        os.mkfifo(tmp_path / PICTURE_NAME)
    else:
        (tmp_path / PICTURE_NAME).write_bytes(content)
    SmtpChannel(plain_server).deliver(messages.run_ended(ended, schedule, [], settings), ended.completed_at)
    (mail,) = mailbox.mails
    images = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert [part.get_content() for part in images] == ([content] if shown else [])
    assert ("What this run came to" in mail.get_body(("html",)).get_content()) is shown


def test_a_second_delivery_has_the_same_message_id(plain_server, mailbox, message, result):
    for _ in range(2):
        SmtpChannel(plain_server).deliver(message, result().completed_at)
    assert mailbox.mails[0]["Message-ID"] == mailbox.mails[1]["Message-ID"]


# Over TLS the server sees no STARTTLS and therefore warns of itself.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("security", [SmtpSecurity.STARTTLS, SmtpSecurity.TLS])
def test_encrypted_and_authenticated(security, mailbox, authority, message, result, monkeypatch, tmp_path):
    context, ca_file = authority
    options = {"authenticator": accepts_snake, "auth_required": True, "auth_require_tls": False}
    tls = (
        {"ssl_context": context} if security is SmtpSecurity.TLS else {"tls_context": context, "require_starttls": True}
    )
    controller = FreePortController(mailbox, hostname="127.0.0.1", port=0, **options, **tls)
    controller.start()
    try:
        smtp = SmtpSettings(
            host="127.0.0.1", port=controller.port, security=security, ca_file=ca_file, username="snake", timeout_s=10
        )
        monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
        with pytest.raises(SettingsDeliveryError, match=r"535.*Correct .*username and password_file"):
            SmtpChannel(smtp).deliver(message, result().completed_at)
        monkeypatch.delenv(PASSWORD_VARIABLE)
        secret = tmp_path / "password"
        secret.write_text("ssss\n")
        SmtpChannel(smtp.model_copy(update={"password_file": secret})).deliver(message, result().completed_at)
        assert len(mailbox.mails) == 1
        with pytest.raises(SettingsDeliveryError, match=r"certificate is not trusted.*notifications\.smtp\.ca_file"):
            SmtpChannel(smtp.model_copy(update={"ca_file": None})).deliver(message, result().completed_at)
    finally:
        controller.stop()


def test_a_temporary_answer_is_tried_again(plain_server, mailbox, message, result):
    mailbox.answer = "451 busy"
    with pytest.raises(DeliveryError, match="451") as caught:
        SmtpChannel(plain_server).deliver(message, result().completed_at)
    assert not caught.value.permanent


def test_a_final_answer_is_not(plain_server, mailbox, message, result):
    mailbox.answer = "554 no"
    with pytest.raises(PermanentDeliveryError, match="554"):
        SmtpChannel(plain_server).deliver(message, result().completed_at)


def test_an_address_that_is_refused_is_told_also_where_others_were_taken(plain_server, mailbox, message, result):
    mailbox.refuse_to = {"snake@example.com": "550 unknown"}
    with pytest.raises(PermanentDeliveryError, match=r"snake@example\.com: 550"):
        SmtpChannel(plain_server).deliver(message, result().completed_at)
    assert len(mailbox.mails) == 1


def test_everyone_gets_the_mail_once_also_whom_the_server_greylisted(
    plain_server, mailbox, message, result, settings, tmp_path
):
    """One of two addresses is refused for now: it is tried again, and the other one is not sent the mail twice."""
    now = result().completed_at
    store = Store(f"sqlite:///{tmp_path / 'outbox.db'}", 5)
    upgrade(store, 1, now)
    channel = SmtpChannel(plain_server)
    notifier = Notifier([channel], settings)
    with store.write() as session:
        for _ in range(2):
            notifier.put(session, message.model_copy(update={"result": None}), now)
    dispatcher = Dispatcher(store, notifier, lambda _point: None)
    mailbox.refuse_to = {"snake@example.com": "450 greylisted"}
    assert dispatcher.deliver_due(now) == 1
    mailbox.refuse_to = {}
    assert dispatcher.deliver_due(now + timedelta(minutes=5)) == 1
    assert dispatcher.deliver_due(now + timedelta(hours=1)) == 0
    assert [mail["To"] for mail in mailbox.mails] == ["boss@example.com", "snake@example.com"]
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 2
    store.close()


def test_all_addresses_bad_is_final_and_named(plain_server, mailbox, message, result):
    mailbox.refuse_to = {"snake@example.com": "550 unknown", "boss@example.com": "551 moved"}
    with pytest.raises(PermanentDeliveryError, match=r"snake@example.com: 550.*boss@example.com: 551"):
        SmtpChannel(plain_server).deliver(message, result().completed_at)


def test_a_greylisted_address_is_tried_again(plain_server, mailbox, message, result):
    mailbox.refuse_to = {"snake@example.com": "450 later", "boss@example.com": "550 unknown"}
    with pytest.raises(DeliveryError) as caught:
        SmtpChannel(plain_server).deliver(message, result().completed_at)
    assert not caught.value.permanent


def test_nobody_listens(plain_server, message, result):
    nowhere = plain_server.model_copy(update={"port": 1})
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        SmtpChannel(nowhere).deliver(message, result().completed_at)
    assert not caught.value.permanent


class Scripted:
    """A mail server that only says what a test has it say, line by line, to each command."""

    def __init__(self, **answers: str) -> None:
        self._answers = {"ehlo": "250-here\r\n250 8BITMIME", "quit": "221 bye", **answers}
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), connection, connection.makefile("rb") as lines:  # a client that tries TLS hangs up
                if not self._answer(connection, self._answers.get("greeting", "220 here")):
                    continue
                for command in lines:
                    word = command.split()[0].decode("ascii", "replace").lower() if command.split() else ""
                    if not self._answer(connection, self._answers.get(word, "250 ok")) or word == "quit":
                        break
                    if self._answers.get(word, "").startswith("354") and not self._take_mail(connection, lines):
                        break

    def _take_mail(self, connection: socket.socket, lines: BinaryIO) -> bool:
        if self._answers.get("body") == "CLOSE":
            lines.readline()
            return False
        while lines.readline() not in (b".\r\n", b""):
            pass
        return self._answer(connection, self._answers.get(".", "250 ok"))

    def _answer(self, connection: socket.socket, answer: str) -> bool:
        """Send it, or what it stands for; False: hang up."""
        if answer == "SILENCE":
            self._closing.wait(30)
        elif answer == "TRICKLE":  # never an end, and never a pause that is long enough
            while not self._closing.wait(0.05):
                connection.sendall(b"2")
        elif answer == "ENDLESS":
            while True:
                connection.sendall(b"250-and more\r\n" * 1000)
        elif answer != "CLOSE":
            connection.sendall(answer.encode() + b"\r\n")
            return True
        return False

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def scripted():
    made: list[Scripted] = []

    def make(**answers: str) -> SmtpSettings:
        made.append(Scripted(**answers))
        return SmtpSettings(host="127.0.0.1", port=made[-1].port, security=SmtpSecurity.NONE, timeout_s=10)

    yield make
    for server in made:
        server.close()


AUTH = "250-here\r\n250 AUTH PLAIN LOGIN"


@pytest.mark.parametrize(
    ("answers", "changes", "kind", "says"),
    [
        ({}, {"security": "starttls"}, SettingsDeliveryError, r"does not offer STARTTLS.*smtp\.security"),
        ({}, {"username": "snake"}, SettingsDeliveryError, r"does not offer a login.*smtp\.username"),
        ({"ehlo": AUTH, "auth": "535 5.7.8 bad"}, {"username": "s"}, SettingsDeliveryError, r"535.*password_file"),
        ({"ehlo": AUTH, "auth": "454 4.7.0 later"}, {"username": "s"}, DeliveryError, r"454"),
        (
            {"mail": "530 Must issue a STARTTLS command first"},
            {},
            SettingsDeliveryError,
            r'security to "starttls"',
        ),
        ({"mail": "530 5.7.0 Authentication required"}, {}, SettingsDeliveryError, r"530.*Set .*smtp\.username"),
        ({"mail": "550 5.7.1 not your address"}, {}, SettingsDeliveryError, r"550.*smtp\.sender"),
        ({"mail": "451 busy"}, {}, DeliveryError, r"451"),
        (
            {"rcpt": "554 5.7.1 Relay access denied"},
            {},
            SettingsForAddressError,
            r"denied.*smtp\.username",
        ),
        ({"rcpt": "550 no such user"}, {}, PermanentDeliveryError, r"550 no such user.*notifications\.emails"),
        ({"greeting": "554 no service"}, {}, SettingsDeliveryError, r"554.*smtp\.host"),
        ({"greeting": "554 \x1b[31mno\xff"}, {}, SettingsDeliveryError, r"554 \\x1b\[31mno"),
        ({}, {"security": "tls"}, SettingsDeliveryError, r'from the first byte.*security to "starttls"'),
        ({}, {"ca_file": "/nowhere/ca.pem"}, SettingsDeliveryError, r"No such file.*ca\.pem.*smtp\.ca_file"),
        ({}, {"ca_file": __file__}, SettingsDeliveryError, r"holds no certificate.*smtp\.ca_file"),
        (
            {},
            {"username": "s", "password_file": "/nowhere"},
            SettingsDeliveryError,
            r"No such.*smtp\.password_file",
        ),
        ({}, {"host": ""}, DeliveryError, r"no mail server is set.*smtp\.host"),
        ({}, {"host": "no-such-host.invalid"}, DeliveryError, r"cannot be resolved.*smtp\.host"),
        ({}, {"port": 1}, DeliveryError, r"cannot be reached.*smtp\.host and port"),
    ],
)
def test_a_refusal_is_told_apart_and_names_the_setting_to_change(
    scripted, message, result, answers, changes, kind, says
):
    settings = SmtpSettings.model_validate({**scripted(**answers).model_dump(), **changes})
    with pytest.raises(DeliveryError, match=says) as caught:
        SmtpChannel(settings).deliver(message, result().completed_at)
    assert type(caught.value) is kind
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("step", ["greeting", "ehlo", "auth", "mail", "rcpt", "data", "."])
@pytest.mark.parametrize("answer", ["SILENCE", "ENDLESS", "CLOSE", "nonsense", "999 x", "\x00\xff"])
def test_a_server_that_says_anything_at_any_step_costs_one_try(scripted, message, result, step, answer):
    """Hung up on, in time, with a word that is no guess at the message's fault."""
    answers = {"ehlo": AUTH, "data": "354 go", "auth": "235 ok", step: answer}
    settings = scripted(**answers).model_copy(update={"timeout_s": 0.2, "username": "snake"})
    before = set(threading.enumerate())
    with pytest.raises(DeliveryError) as caught:
        SmtpChannel(settings).deliver(message, result().completed_at)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2_000
    assert not caught.value.permanent or answer == "999 x"
    for timer in set(threading.enumerate()) - before:
        timer.join(1.5)  # less than the deadline: it goes with its connection
        assert not timer.is_alive()


def test_a_server_may_close_in_the_middle_of_a_mail(scripted, message, result):
    settings = scripted(data="354 go", body="CLOSE")
    with pytest.raises(DeliveryError, match=r"ended the connection|cannot be reached") as caught:
        SmtpChannel(settings).deliver(message, result().completed_at)
    assert not caught.value.permanent


def test_a_trickle_is_ended_by_the_deadline_which_is_named(scripted, message, result):
    settings = scripted(data="354 go", **{".": "TRICKLE"}).model_copy(update={"timeout_s": 0.2})
    with pytest.raises(DeliveryError, match="took longer than 2 s over one mail"):
        SmtpChannel(settings).deliver(message, result().completed_at)


@pytest.mark.parametrize(
    ("changes", "password", "says"),
    [
        ({"username": "snäke"}, "x", r"outside ASCII.*username and password_file"),
        ({}, "geheimnisß", r"outside ASCII.*username and password_file"),
        ({"host": "a..b"}, "x", r"name is none.*smtp\.host"),
        ({"host": "a" * 70 + ".b"}, "x", r"name is none.*smtp\.host"),
        ({"host": "x" * 300}, "x", r"name is none.*smtp\.host"),
    ],
)
def test_settings_that_cannot_be_sent_are_named(scripted, message, result, monkeypatch, changes, password, says):
    monkeypatch.setenv("OUROBOROS_SMTP_PASSWORD", password)
    settings = scripted(ehlo=AUTH).model_copy(update={"username": "snake", **changes})
    with pytest.raises(SettingsDeliveryError, match=says) as caught:
        SmtpChannel(settings).deliver(message, result().completed_at)
    assert "ß" not in str(caught.value), "no part of a password"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", ["pipe", "folder", "bytes", "large", "absent"])
def test_a_password_file_of_any_kind_is_refused_at_once(scripted, message, result, tmp_path, kind):
    file = tmp_path / "password"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind != "absent":
        file.write_bytes(b"\xff\xfe" if kind == "bytes" else b"x" * 100_000)
    settings = scripted(ehlo=AUTH).model_copy(update={"username": "snake", "password_file": file})
    with pytest.raises(SettingsDeliveryError, match=r"password_file"):
        SmtpChannel(settings).deliver(message, result().completed_at)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("a@b.c", True),
        ("Ann B. <a@b.c>", True),
        ('"a b"@c', True),
        ("ä@ö.de", True),
        ("a@b.c\nBcc: d@e.f", False),
        ("a@b.c\0", False),
        ("a@b,c@d", False),
        ("a@b c", False),
        ("a b@c", False),
        ("a@b@c", False),
        ("<a@b.c", False),
        ("\u202ea@b.c", False),
        ("\ud800@b.c", False),
        ("", False),
    ],
)
def test_what_cannot_be_mailed_to_is_no_address(address, good):
    if good:
        assert NotificationSettings(emails=[address]).emails == [address]
        return
    with pytest.raises(ValidationError, match="is no e-mail address"):
        NotificationSettings(emails=[address])
    with pytest.raises(ValidationError, match="is no e-mail address"):
        TrainingSchedule(name="x", cron_expression="0 9 * * *", notification_emails=[address])


@pytest.mark.parametrize(
    "sender", ["Ouroboros <snake@example.com>", '"Ann, the snake" <snake@example.com>', "snake@example.com"]
)
def test_a_sender_may_have_a_name(plain_server, mailbox, message, result, sender):
    SmtpChannel(SmtpSettings.model_validate({**plain_server.model_dump(), "sender": sender})).deliver(
        message, result().completed_at
    )
    (mail,) = mailbox.mails
    (address,) = mail["From"].addresses
    assert address.addr_spec == "snake@example.com"
    assert address.display_name == ("Ann, the snake" if "Ann" in sender else "Ouroboros")
    assert mail["Message-ID"].endswith("@example.com>")


@pytest.mark.parametrize("sender", ["", "snake", "a@", "@b", "a b@c d", "a@b\r\nBcc: x@y.z", "\ud800@b.c"])
def test_a_sender_that_is_no_address_is_refused_by_the_settings(sender):
    with pytest.raises(ValidationError, match="is no address such as") as caught:
        SmtpSettings(sender=sender)
    assert describe(caught.value).startswith("sender: ")


def test_mail_waits_for_mended_settings_and_then_all_of_it_arrives(plain_server, mailbox, settings, tmp_path, result):
    """The night's alerts: a wrong setting costs one try an hour, however many messages wait, and no message."""
    now = result().completed_at
    store = Store(f"sqlite:///{tmp_path / 'outbox.db'}", 5)
    upgrade(store, 1, now)
    wrong = SmtpChannel(plain_server.model_copy(update={"security": SmtpSecurity.STARTTLS}))
    notifier = Notifier([wrong], settings)
    with store.write() as session:
        for number in range(5):
            notifier.put(session, messages.alert(f"alert {number}", "x", "", str(number), settings, now), now)
    dispatcher = Dispatcher(store, notifier, lambda _point: None)
    for hour in range(0, 100, 20):  # longer than give_up_after_hours
        assert dispatcher.deliver_due(now + timedelta(hours=hour)) == 0
    with store.read() as session:
        trouble = outbox.trouble(session)
        tries = [record.attempts for record in outbox.take_due(session, now + timedelta(days=99), 100)]
    assert (trouble.waiting, trouble.failed) == (10, 0)
    assert "does not offer STARTTLS" in trouble.reason
    assert "notifications.smtp.security" in trouble.reason
    assert sum(tries) == 5
    notifier.use([SmtpChannel(plain_server)], settings)
    assert dispatcher.deliver_due(now + timedelta(hours=80, minutes=1)) == 0, "not due yet"
    dispatcher.retry_waiting()  # as a reload of the settings does
    assert dispatcher.deliver_due(now + timedelta(hours=80, minutes=1)) == 10
    assert len(mailbox.mails) == 10
    store.close()


def test_what_was_given_up_can_be_sent_again(plain_server, mailbox, message, settings, tmp_path, result):
    now = result().completed_at
    store = Store(f"sqlite:///{tmp_path / 'outbox.db'}", 5)
    upgrade(store, 1, now)
    notifier = Notifier([SmtpChannel(plain_server)], settings)
    with store.write() as session:
        notifier.put(session, message.model_copy(update={"result": None}), now)
    mailbox.answer = "554 no"
    dispatcher = Dispatcher(store, notifier, lambda _point: None)
    assert dispatcher.deliver_due(now) == 0
    mailbox.answer = "250 taken"
    with store.write() as session:
        assert outbox.trouble(session).failed == 2
        assert (outbox.retry_waiting(session, now), outbox.retry_failed(session, now)) == (0, 2)
    assert dispatcher.deliver_due(now) == 2
    with store.read() as session:
        assert outbox.trouble(session) == outbox.MailTrouble(0, 0, "")
    store.close()


def test_a_row_that_cannot_be_read_is_given_up_and_stops_no_other(plain_server, mailbox, settings, tmp_path, result):
    now = result().completed_at
    store = Store(f"sqlite:///{tmp_path / 'outbox.db'}", 5)
    upgrade(store, 1, now)
    notifier = Notifier([SmtpChannel(plain_server)], settings.model_copy(update={"emails": ["boss@example.com"]}))
    with store.write() as session:
        for number in range(4):
            message = messages.alert(f"alert {number}", "x", "", str(number), notifier.settings, now)
            notifier.put(session, message, now)
        for outbox_id, change in enumerate(["payload_json = '{'", "created_at = 'noon'", "recipients_json = '3'"], 1):
            session.execute(text(f"UPDATE outbox SET {change} WHERE id = {outbox_id}"))
    dispatcher = Dispatcher(store, notifier, lambda _point: None)
    assert dispatcher.deliver_due(now) == 2, "what was written by hand for its time hides no message"
    with store.read() as session:
        assert (outbox.counts(session).failed, outbox.counts(session).sent) == (2, 2)
        assert "its row cannot be read" in outbox.trouble(session).reason
    store.close()


def test_a_message_without_addresses_needs_no_mail(plain_server, mailbox, message, result):
    SmtpChannel(plain_server).deliver(message.model_copy(update={"recipients": []}), result().completed_at)
    assert mailbox.mails == []
