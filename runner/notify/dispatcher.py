"""Both ends of the outbox: a message becomes one row for each channel, and for each address of the e-mail channel, in
the transaction of what it tells; what is due is delivered at least once, within the rate limit, the rest in digests.

What needs somebody goes first: where the limit has room for some only, it is the completions that wait.

A message is marked only after it was delivered, so a kill in between delivers it a second time with the same
Message-ID; it never loses one. Nothing that a channel does ends the dispatcher.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from runner.notify import messages
from runner.notify.channels import Channel, DeliveryError, SettingsDeliveryError, SettingsForAddressError
from runner.store import outbox
from runner.store.engine import Store
from runner.store.outbox import OutboxRecord
from runner.store.states import OutboxState
from schemas.errors import OuroborosError
from schemas.message import EMAIL_CHANNEL, Message, MessageKind, message_id
from schemas.notification import NotificationSettings
from schemas.outside_text import REASON_LIMIT, error_line, line

BATCH = 50
"""Most deliveries tried in one call, and most messages in one digest."""
LOOK_AHEAD = 500
"""So many that are due are looked at, so that a failure passes the completions before it."""
SHORTEST_DIGEST = timedelta(hours=1)
"""What the rate limit set aside is sent together after this long, where no digest interval is set."""
DOWN_AFTER = 3
"""So many temporary failures of a channel in one call, and it is left alone until the next."""
_log = logging.getLogger("ouroboros.dispatcher")


class Notifier:
    """Knows the channels by name. Replacing them (`use`) takes effect from the next message on."""

    def __init__(self, channels: Sequence[Channel], settings: NotificationSettings) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._settings = settings

    def use(self, channels: Sequence[Channel], settings: NotificationSettings) -> None:
        """Replace channels and settings."""
        self._channels = {channel.name: channel for channel in channels}
        self._settings = settings

    def channel(self, name: str) -> Channel | None:
        """The channel of that name; None once it is no longer configured."""
        return self._channels.get(name)

    @property
    def settings(self) -> NotificationSettings:
        """How often and to whom."""
        return self._settings

    def put(self, session: Session, message: Message, now: datetime) -> None:
        """Put the message in for every channel and address; one that was put in before is not put in again."""
        gathered = self._settings.digest_hours > 0 and not message.urgent
        for name in self._channels:
            for each in message.by_address() if name == EMAIL_CHANNEL else [message.through(name)]:
                outbox.put(
                    session,
                    each,
                    execution_id=message.result.execution_id if message.result else None,
                    not_before=now,
                    state=OutboxState.DIGEST if gathered else OutboxState.PENDING,
                )


class _MayBeDown(Exception):
    """Not delivered, and perhaps not because of the message."""


class _WaitsForSettings(Exception):
    """Not delivered, and nothing will be through this channel until its settings are mended; next try at `again_at`."""

    def __init__(self, problem: str, again_at: datetime) -> None:
        super().__init__(problem)
        self.problem, self.again_at = problem, again_at


class Dispatcher:
    """One call of `deliver_due` delivers all that is due now."""

    def __init__(self, store: Store, notifier: Notifier, reach: Callable[[str], None]) -> None:
        self._store = store
        self._notifier = notifier
        self.reach = reach
        self._unmarked: dict[int, str] = {}
        """Delivered, and not yet marked so: outbox id to Message-ID. While the database takes nothing (a full disk, a
        long lock) a message must not go out again and again."""
        self._try_waiting = True

    def retry_waiting(self) -> None:
        """The settings may have been mended: what could not be delivered is tried at the next call. So it is after a
        start."""
        self._try_waiting = True

    def deliver_due(self, now: datetime) -> int:
        """Deliver what is due; how many messages were delivered.

        Raises:
            StateError: the database takes nothing; what was delivered is remembered, and marked before the next one.
        """
        self._mark_delivered(now)
        if self._try_waiting:
            with self._store.write() as session:
                outbox.retry_waiting(session, now)
            self._try_waiting = False
        self._set_unreadable_aside(now)
        self._gather(now)
        with self._store.read() as session:
            due = outbox.take_due(session, now, LOOK_AHEAD)
            room = self._notifier.settings.max_messages_per_hour - outbox.sent_since(session, now - timedelta(hours=1))
        if not due:
            return 0
        now_ones, later = self._within(due, room)
        if later:
            with self._store.write() as session:
                outbox.set_aside(session, [record.outbox_id for record in later])
        self.reach("mail.taken")
        return self._deliver_all(now_ones, now)

    def _deliver_all(self, records: Sequence[OutboxRecord], now: datetime) -> int:
        delivered, tried, failures = 0, 0, Counter[str]()
        held: dict[str, _WaitsForSettings] = {}
        for record in records:
            name = record.message.channel
            if tried == BATCH:
                break
            if failures[name] == DOWN_AFTER or name in held:
                continue  # the rest waits: fifty time-outs in a row would hold up the other channels, and a shutdown
            tried += 1
            try:
                delivered += self._deliver(record, now)
            except _MayBeDown:
                failures[name] += 1
            except _WaitsForSettings as refusal:
                held[name] = refusal
        for name, waits in held.items():
            self._hold([record for record in records if record.message.channel == name], waits)
        return delivered

    def _hold(self, records: Sequence[OutboxRecord], waits: _WaitsForSettings) -> None:
        """One try at a time tells whether the settings are mended: a server bars whoever comes with a wrong password
        again and again."""
        with self._store.write() as session:
            outbox.hold(session, [record.outbox_id for record in records], waits.problem, waits.again_at)

    def _set_unreadable_aside(self, now: datetime) -> None:
        """A row that cannot be read ends as failed, and stops no other."""
        with self._store.read() as session:
            broken = outbox.unreadable(session, now, LOOK_AHEAD)
        if broken:
            with self._store.write() as session:
                for outbox_id, problem in broken.items():
                    outbox.give_up_unreadable(session, outbox_id, problem)
            _log.error("Messages that cannot be read, given up: %s", broken)

    def _within(self, due: Sequence[OutboxRecord], room: int) -> tuple[list[OutboxRecord], list[OutboxRecord]]:
        """Digests always go; of the others as many as the rate limit has room for, the urgent ones first."""
        digests = [record for record in due if record.message.kind is MessageKind.DIGEST]
        others = [record for record in due if record.message.kind is not MessageKind.DIGEST]
        others.sort(key=lambda record: not record.message.urgent)  # stable: the oldest first in each half
        return [*digests, *others[: max(0, room)]], others[max(0, room) :]

    def _deliver(self, record: OutboxRecord, now: datetime) -> bool:
        message = record.message
        problem = self._hand_over(message, now)
        if problem is not None:
            self._failed(record, problem, now)
            return False
        self._unmarked[record.outbox_id] = message_id(message.dedup_key, self._notifier.settings.smtp.sender_address)
        self.reach("mail.sent")
        self._mark_delivered(now)
        self.reach("mail.marked")
        return True

    def _hand_over(self, message: Message, now: datetime) -> OuroborosError | None:
        channel = self._notifier.channel(message.channel)
        if channel is None:
            return DeliveryError("this channel is no longer configured", where=message.channel)
        try:
            channel.deliver(message, now)
        except OuroborosError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a channel may be anybody's code; it must not end the dispatcher
            return DeliveryError(error_line(error), where=message.channel)
        return None

    def _mark_delivered(self, now: datetime) -> None:
        if not self._unmarked:
            return
        with self._store.write() as session:
            for outbox_id, identifier in self._unmarked.items():
                outbox.mark_sent(session, outbox_id, identifier, now)
        self._unmarked.clear()

    def _failed(self, record: OutboxRecord, error: OuroborosError, now: datetime) -> None:
        """Write the failure down; raises `_MayBeDown` or `_WaitsForSettings` where the channel may be to blame, not the
        message."""
        settings = self._notifier.settings
        too_old = now - record.created_at > timedelta(hours=settings.give_up_after_hours)
        permanent = isinstance(error, DeliveryError) and error.permanent
        of_settings = isinstance(error, SettingsDeliveryError)
        problem = line(str(error), REASON_LIMIT)
        delay_s = min(settings.retry_backoff_s * 2.0 ** min(record.attempts, 30), settings.retry_backoff_max_s)
        again_at = now + timedelta(seconds=delay_s)
        with self._store.write() as session:
            if permanent or (too_old and not of_settings):
                outbox.mark_failed(session, record.outbox_id, problem)
            else:
                outbox.mark_retry(session, record.outbox_id, problem, again_at)
        _log.warning("Message %s was not delivered: %s", record.message.dedup_key, problem)
        if of_settings and not isinstance(error, SettingsForAddressError):
            raise _WaitsForSettings(problem, again_at)
        if not permanent:
            raise _MayBeDown

    def _gather(self, now: datetime) -> None:
        """Put a digest in for each channel, and each address, whose oldest message has waited long enough."""
        settings = self._notifier.settings
        patience = max(SHORTEST_DIGEST, timedelta(hours=settings.digest_hours))
        with self._store.read() as session:
            waiting = outbox.waiting_for_digest(session, LOOK_AHEAD)
        for (name, _), mine in _by_destination(waiting).items():
            if now - mine[0].created_at < patience and len(mine) < BATCH:
                continue
            digest = messages.digest([record.message for record in mine], settings, now)
            key = f"{digest.dedup_key}-{mine[0].outbox_id}"  # several digests are made at one moment
            whole = digest.model_copy(update={"channel": name, "dedup_key": key})
            with self._store.write() as session:
                outbox.put(session, whole, not_before=now)
                outbox.mark_gathered(session, [record.outbox_id for record in mine], whole.dedup_key, now)
            self.reach("mail.gathered")


def _by_destination(waiting: Sequence[OutboxRecord]) -> dict[tuple[str, tuple[str, ...]], list[OutboxRecord]]:
    """By channel and, for mails, address: nobody is sent what was meant for somebody else. At most BATCH each."""
    found: dict[tuple[str, tuple[str, ...]], list[OutboxRecord]] = defaultdict(list)
    for record in waiting:
        message = record.message
        mine = found[message.channel, tuple(message.recipients) if message.channel == EMAIL_CHANNEL else ()]
        if len(mine) < BATCH:
            mine.append(record)
    return found
