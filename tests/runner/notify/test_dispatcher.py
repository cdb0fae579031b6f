"""The dispatcher with a real database: at least once, backed off, within its rate, and nothing dropped."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner.notify import messages
from runner.notify.channels import CustomChannel, DeliveryError, PermanentDeliveryError
from runner.notify.dispatcher import Dispatcher, Notifier
from runner.store import outbox
from runner.store.engine import Store
from schemas.errors import DatabaseBusyError
from schemas.message import EMAIL_CHANNEL, Message, MessageKind
from schemas.notification import NotificationSettings

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Postbox:
    """A channel that does as it is told."""

    def __init__(self, name: str = EMAIL_CHANNEL) -> None:
        self.name = name
        self.delivered: list[Message] = []
        self.error: Exception | None = None

    def deliver(self, message: Message, now: datetime) -> None:
        if self.error is not None:
            raise self.error
        self.delivered.append(message)


class Killed(BaseException):
    """The process is gone: nothing may catch it."""


@pytest.fixture
def store(tmp_path: Path):
    opened = Store(f"sqlite:///{tmp_path / 'outbox.db'}", 5)
    upgrade(opened, 1, NOW)
    yield opened
    opened.close()


@pytest.fixture
def settings() -> NotificationSettings:
    return NotificationSettings(
        emails=["boss@example.com"], retry_backoff_s=30, retry_backoff_max_s=100, give_up_after_hours=1
    )


def note(key: str, settings: NotificationSettings, at: datetime = NOW) -> Message:
    return messages.alert(f"alert {key}", "something happened", "", key, settings, at)


def a_completion(result, schedule, settings) -> Message:
    return messages.run_ended(result(), schedule, [], settings)


def dispatcher_of(store, settings, *channels, reach=lambda point: None) -> tuple[Dispatcher, Notifier]:
    notifier = Notifier(channels, settings)
    return Dispatcher(store, notifier, reach), notifier


def put(store, notifier, message, at=NOW) -> None:
    with store.write() as session:
        notifier.put(session, message, at)


def counts(store) -> outbox.OutboxCounts:
    with store.read() as session:
        return outbox.counts(session)


def test_each_channel_gets_its_own_row_and_delivery(store, settings):
    mail, chat = Postbox(), Postbox("slack (channel 1)")
    dispatcher, notifier = dispatcher_of(store, settings, mail, chat)
    put(store, notifier, note("a", settings))
    put(store, notifier, note("a", settings))
    assert dispatcher.deliver_due(NOW) == 2
    assert dispatcher.deliver_due(NOW) == 0
    assert (len(mail.delivered), len(chat.delivered)) == (1, 1)
    assert counts(store).sent == 2


def test_a_failing_channel_holds_up_no_other_and_is_tried_with_growing_delays(store, settings):
    mail, chat = Postbox(), Postbox("chat")
    chat.error = DeliveryError("away")
    dispatcher, notifier = dispatcher_of(store, settings, mail, chat)
    put(store, notifier, note("a", settings))
    dispatcher.deliver_due(NOW)
    assert len(mail.delivered) == 1
    tries = []
    for second in range(0, 400, 5):
        with store.read() as session:
            due = outbox.take_due(session, NOW + timedelta(seconds=second), 10)
        if due:
            tries.append(second)
            dispatcher.deliver_due(NOW + timedelta(seconds=second))
    assert tries == [30, 90, 190, 290, 390]
    chat.error = None
    dispatcher.deliver_due(NOW + timedelta(seconds=600))
    assert len(chat.delivered) == 1
    assert len(mail.delivered) == 1


def test_given_up_after_the_limit_but_never_removed(store, settings):
    mail = Postbox()
    mail.error = DeliveryError("away")
    dispatcher, notifier = dispatcher_of(store, settings, mail)
    put(store, notifier, note("a", settings))
    dispatcher.deliver_due(NOW + timedelta(hours=2))
    assert counts(store) == outbox.OutboxCounts(failed=1)


@pytest.mark.parametrize("error", [PermanentDeliveryError("no such user"), DeliveryError("busy"), RuntimeError("bug")])
def test_one_bad_message_never_stops_the_next(store, settings, error):
    class Choosy(Postbox):
        def deliver(self, message: Message, now: datetime) -> None:
            if "bad" in message.subject:
                raise error
            super().deliver(message, now)

    mail = Choosy()
    dispatcher, notifier = dispatcher_of(store, settings, mail)
    for key in ("bad", "good"):
        put(store, notifier, note(key, settings))
    dispatcher.deliver_due(NOW)
    assert [message.subject for message in mail.delivered] == ["alert good"]
    assert counts(store).sent == 1
    assert counts(store).failed == (1 if isinstance(error, PermanentDeliveryError) else 0)


@pytest.mark.parametrize("point", ["mail.taken", "mail.sent"])
def test_killed_before_it_is_marked_it_is_delivered_again_under_the_same_key(store, settings, point):
    mail = Postbox()

    def die(reached: str) -> None:
        if reached == point:
            raise Killed

    dispatcher, notifier = dispatcher_of(store, settings, mail, reach=die)
    put(store, notifier, note("a", settings))
    with pytest.raises(Killed):
        dispatcher.deliver_due(NOW)
    after, _ = dispatcher_of(store, settings, mail)
    after.deliver_due(NOW)
    assert {message.dedup_key for message in mail.delivered} == {"alert-a>boss@example.com"}
    assert len(mail.delivered) == (2 if point == "mail.sent" else 1)
    assert counts(store) == outbox.OutboxCounts(sent=1)


def test_beyond_the_rate_limit_messages_are_gathered_and_none_is_dropped(store, settings):
    strict = settings.model_copy(update={"max_messages_per_hour": 3})
    mail = Postbox()
    dispatcher, notifier = dispatcher_of(store, strict, mail)
    for number in range(10):
        put(store, notifier, note(str(number), strict))
    dispatcher.deliver_due(NOW)
    assert len(mail.delivered) == 3
    assert counts(store).digest == 7
    dispatcher.deliver_due(NOW + timedelta(minutes=61))
    (digest,) = mail.delivered[3:]
    assert digest.kind is MessageKind.DIGEST
    told = {message.subject for message in mail.delivered[:3]} | {fact.partition(".")[0] for _, fact in digest.facts}
    assert told == {f"alert {number}" for number in range(10)}
    assert counts(store).pending == counts(store).digest == 0


def test_with_a_digest_interval_completions_wait_and_failures_do_not(store, settings, result, failed, schedule):
    calm = settings.model_copy(update={"digest_hours": 6, "give_up_after_hours": 72})
    mail = Postbox()
    dispatcher, notifier = dispatcher_of(store, calm, mail)
    start = result().completed_at
    schedule = schedule.model_copy(update={"notification_emails": []})
    put(store, notifier, a_completion(result, schedule, calm).model_copy(update={"result": None}), start)
    failure = messages.run_ended(failed, schedule, [], calm).model_copy(update={"result": None})
    put(store, notifier, failure, start)
    dispatcher.deliver_due(start)
    assert [message.kind for message in mail.delivered] == [MessageKind.FAILURE]
    dispatcher.deliver_due(start + timedelta(hours=5))
    assert len(mail.delivered) == 1
    dispatcher.deliver_due(start + timedelta(hours=6))
    assert [message.kind for message in mail.delivered] == [MessageKind.FAILURE, MessageKind.DIGEST]


def test_a_channel_that_is_no_longer_configured_keeps_its_messages(store, settings):
    chat = Postbox("chat")
    _, notifier = dispatcher_of(store, settings, chat)
    put(store, notifier, note("a", settings))
    without, _ = dispatcher_of(store, settings, Postbox())
    without.deliver_due(NOW)
    assert counts(store).pending == 1
    again, _ = dispatcher_of(store, settings, chat)
    again.deliver_due(NOW + timedelta(minutes=5))
    assert len(chat.delivered) == 1


def test_the_users_own_system_hears_of_ended_runs(store, settings, result, schedule):
    class Slack:
        def __init__(self) -> None:
            self.heard = []

        def send_training_completion_notification(self, ended) -> None:
            self.heard.append(ended)

    slack = Slack()
    channel = CustomChannel(slack)
    channel.deliver(a_completion(result, schedule, settings), NOW)
    channel.deliver(note("a", settings), NOW)  # has no ended run, and Slack has no send_message
    assert [ended.execution_id for ended in slack.heard] == [7]


@pytest.mark.parametrize("error", [ValueError("no token"), SystemExit("no token"), KeyboardInterrupt("no token")])
def test_an_error_of_the_users_own_system_is_tried_again(result, schedule, settings, error):
    class Broken:
        def send_training_completion_notification(self, ended) -> None:
            raise error

    with pytest.raises(DeliveryError, match=f"{type(error).__name__}: no token"):
        CustomChannel(Broken()).deliver(a_completion(result, schedule, settings), NOW)


def test_what_was_delivered_while_the_database_takes_nothing_is_not_delivered_again(tmp_path, settings):
    store = Store(f"sqlite:///{tmp_path / 'outbox.db'}", 0.05)
    upgrade(store, 1, NOW)
    mail = Postbox()
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)

    def lock(point: str) -> None:
        if point == "mail.sent" and not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")

    dispatcher, notifier = dispatcher_of(store, settings, mail, reach=lock)
    put(store, notifier, note("a", settings))
    for _ in range(3):
        with pytest.raises(DatabaseBusyError):
            dispatcher.deliver_due(NOW)
    other.execute("ROLLBACK")
    other.close()
    assert counts(store).pending == 1
    assert dispatcher.deliver_due(NOW) == 0
    assert counts(store).sent == 1
    assert len(mail.delivered) == 1
    store.close()


def test_a_channel_that_is_down_is_tried_a_few_times_a_call_and_its_messages_all_arrive_later(store, settings):
    mail, chat = Postbox(), Postbox("chat")
    tries = []

    class Down:
        name = EMAIL_CHANNEL

        def deliver(self, message: Message, now: datetime) -> None:
            tries.append(message.dedup_key)
            raise DeliveryError("nobody answers")

    dispatcher, notifier = dispatcher_of(store, settings, Down(), chat)
    for key in "abcdef":
        put(store, notifier, note(key, settings))
    assert dispatcher.deliver_due(NOW) == 6
    assert (len(tries), len(chat.delivered)) == (3, 6)
    notifier.use([mail, chat], settings)
    assert dispatcher.deliver_due(NOW + timedelta(minutes=5)) == 6
    assert (len(mail.delivered), len(chat.delivered)) == (6, 6)


def test_where_the_limit_has_room_for_some_a_failure_passes_older_completions(
    store, settings, result, failed, schedule
):
    strict = settings.model_copy(update={"max_messages_per_hour": 2, "give_up_after_hours": 72})
    mail = Postbox()
    dispatcher, notifier = dispatcher_of(store, strict, mail)
    start = result().completed_at
    plain = schedule.model_copy(update={"notification_emails": []})
    for number in range(70):
        done = messages.run_ended(result(execution_id=number), plain, [], strict)
        put(store, notifier, done.model_copy(update={"result": None}), start)
    failure = messages.run_ended(failed, plain, [], strict).model_copy(update={"result": None})
    put(store, notifier, failure, start + timedelta(seconds=1))
    dispatcher.deliver_due(start + timedelta(seconds=2))
    assert [message.kind for message in mail.delivered] == [MessageKind.FAILURE, MessageKind.COMPLETION]
    for minutes in (61, 62, 63):
        dispatcher.deliver_due(start + timedelta(minutes=minutes))
    digests = mail.delivered[2:]
    assert [message.kind for message in digests] == [MessageKind.DIGEST] * 2
    assert sum(len(digest.facts) for digest in digests) == 69


def test_a_digest_tells_each_address_only_what_was_meant_for_it(store, settings, result, schedule):
    calm = settings.model_copy(update={"digest_hours": 6, "give_up_after_hours": 72})
    mail, chat = Postbox(), Postbox("chat")
    dispatcher, notifier = dispatcher_of(store, calm, mail, chat)
    start = result().completed_at
    for number, address in enumerate(("ann@example.com", "bob@example.com")):
        own = schedule.model_copy(update={"notification_emails": [address]})
        done = messages.run_ended(result(execution_id=number, schedule_name=address), own, [], calm)
        put(store, notifier, done.model_copy(update={"result": None}), start)
    dispatcher.deliver_due(start + timedelta(hours=6))
    told = {message.recipients[0]: [fact for _, fact in message.facts] for message in mail.delivered}
    assert {address: len(facts) for address, facts in told.items()} == {
        "boss@example.com": 2,
        "ann@example.com": 1,
        "bob@example.com": 1,
    }
    assert "ann@example.com" in told["ann@example.com"][0]
    assert all(len(message.recipients) == 1 for message in mail.delivered)
    assert [len(message.facts) for message in chat.delivered] == [2]
    assert counts(store) == outbox.OutboxCounts(sent=4 + 2 + 4)
