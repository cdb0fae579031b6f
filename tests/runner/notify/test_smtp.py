"""Delivery to a real SMTP server: plain, STARTTLS, TLS, authentication, and every way to be refused."""

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from migrations.upgrade import upgrade
from runner.notify import compose
from runner.notify.courier import Courier
from runner.notify.delivery import DeliveryError, PermanentDeliveryError
from runner.notify.outbound import Outbound
from runner.notify.smtp import PASSWORD_VARIABLE, SmtpChannel
from runner.store.engine import Store
from schemas.notification import SmtpSecurity, SmtpSettings


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
        with socket.create_connection((self.hostname, self.port), 10):
            self._factory_invoked.wait(10)


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
    return compose.run_ended(result(), schedule, [], settings)


def test_a_mail_arrives_whole(plain_server, mailbox, result, schedule, settings, win_rates):
    plotted = compose.run_ended(result(), schedule, win_rates, settings)
    SmtpChannel(plain_server).deliver(plotted, result().completed_at)
    (mail,) = mailbox.mails
    assert mail["To"] == "snake@example.com, boss@example.com"
    assert "56.1%" in mail["Subject"]
    assert mail["Message-ID"].endswith("@localhost>")
    assert "12,345" in mail.get_body(("plain",)).get_content()
    assert [part.get_content_type() for part in mail.walk() if part.get_content_maintype() == "image"] == ["image/png"]


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
        with pytest.raises(PermanentDeliveryError, match="535"):
            SmtpChannel(smtp).deliver(message, result().completed_at)
        monkeypatch.delenv(PASSWORD_VARIABLE)
        secret = tmp_path / "password"
        secret.write_text("ssss\n")
        SmtpChannel(smtp.model_copy(update={"password_file": secret})).deliver(message, result().completed_at)
        assert len(mailbox.mails) == 1
        with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
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
    outbound = Outbound([channel], settings)
    with store.write() as session:
        for _ in range(2):
            outbound.put(session, message.model_copy(update={"result": None}), now)
    courier = Courier(store, outbound, lambda _point: None)
    mailbox.refuse_to = {"snake@example.com": "450 greylisted"}
    assert courier.deliver_due(now) == 1
    mailbox.refuse_to = {}
    assert courier.deliver_due(now + timedelta(minutes=5)) == 1
    assert courier.deliver_due(now + timedelta(hours=1)) == 0
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


def test_a_server_without_starttls_is_refused_for_good(plain_server, message, result):
    wanting = plain_server.model_copy(update={"security": SmtpSecurity.STARTTLS})
    with pytest.raises(PermanentDeliveryError, match="STARTTLS"):
        SmtpChannel(wanting).deliver(message, result().completed_at)


def test_a_message_without_addresses_needs_no_mail(plain_server, mailbox, message, result):
    SmtpChannel(plain_server).deliver(message.model_copy(update={"recipients": []}), result().completed_at)
    assert mailbox.mails == []
