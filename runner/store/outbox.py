"""Messages to be sent: written in the transaction of what they tell, sent afterwards, at least once."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from runner.store.statements import insert_or_ignore, rows_changed
from runner.store.states import OutboxState
from runner.store.tables import OutboxRow
from schemas.message import Message
from schemas.outside_text import error_line


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A message on its way."""

    outbox_id: int
    message: Message
    execution_id: int | None
    state: OutboxState
    attempts: int
    """Failed ones so far."""
    not_before: datetime
    created_at: datetime
    sent_at: datetime | None
    message_id: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How many messages are in each state."""

    pending: int = 0
    sent: int = 0
    failed: int = 0
    digest: int = 0


@dataclass(frozen=True, slots=True)
class MailTrouble:
    """Messages that could not be delivered."""

    waiting: int
    """To be tried again."""
    failed: int
    """Given up."""
    reason: str
    """Of the newest of those that wait, else of those given up: what was wrong, and the setting to change."""


def put(
    session: Session,
    message: Message,
    *,
    execution_id: int | None = None,
    not_before: datetime | None = None,
    state: OutboxState = OutboxState.PENDING,
) -> bool:
    """Put a message in; False if one with its `dedup_key` is or was there: then nothing is added.

    Args:
        not_before: earliest time of delivery; None: at once.
        state: PENDING, or DIGEST for one that waits to be gathered.
    """
    columns = {
        "kind": message.kind.value,
        "dedup_key": message.dedup_key,
        "execution_id": execution_id,
        "payload_json": message,
        "recipients_json": message.recipients,
        "state": state,
        "attempts": 0,
        "not_before": not_before or message.created_at,
        "created_at": message.created_at,
    }
    return rows_changed(session.execute(insert_or_ignore(session, _TABLE), [columns])) == 1


def take_due(session: Session, now: datetime, limit: int) -> list[OutboxRecord]:
    """Pending messages whose time has come, oldest first. Taking marks nothing: a crash while sending sends again."""
    return _readable(session, _due(now, limit))


def failed(session: Session, limit: int) -> list[OutboxRecord]:
    """Messages that were given up, newest first."""
    return _readable(
        session,
        select(OutboxRow.id).where(OutboxRow.state == OutboxState.FAILED).order_by(OutboxRow.id.desc()).limit(limit),
    )


def unreadable(session: Session, now: datetime, limit: int) -> dict[int, str]:
    """Rows that are due, or wait for a digest, and cannot be read (damaged, or edited by hand), with what is wrong."""
    found: dict[int, str] = {}
    for ids in (_due(now, limit), _for_digest(limit)):
        for outbox_id in session.scalars(ids):
            try:
                session.get(OutboxRow, outbox_id)
            except ValueError as error:
                found[outbox_id] = f"its row cannot be read: {error_line(error)}"
    return found


def give_up_unreadable(session: Session, outbox_id: int, problem: str) -> bool:
    """Nobody can send it; the row stays for a person to see. False if it was sent or given up already."""
    values: dict[str, object] = {"last_error": problem, "state": OutboxState.FAILED}
    return any(_move(session, [outbox_id], state, values) for state in (OutboxState.PENDING, OutboxState.DIGEST))


def hold(session: Session, outbox_ids: Sequence[int], reason: str, not_before: datetime) -> int:
    """Let pending messages wait, untried, for what must be mended first; how many."""
    return _move(session, outbox_ids, OutboxState.PENDING, {"last_error": reason, "not_before": not_before})


def retry_waiting(session: Session, now: datetime) -> int:
    """Those that could not be delivered yet are due now; how many."""
    statement = update(OutboxRow).where(OutboxRow.state == OutboxState.PENDING, OutboxRow.last_error.is_not(None))
    changed = session.execute(statement.values(not_before=now).execution_options(synchronize_session=False))
    return rows_changed(changed)


def retry_failed(session: Session, now: datetime) -> int:
    """Those that were given up are pending again, and due now; how many."""
    statement = update(OutboxRow).where(OutboxRow.state == OutboxState.FAILED)
    values = {"state": OutboxState.PENDING, "not_before": now}
    return rows_changed(session.execute(statement.values(**values).execution_options(synchronize_session=False)))


def trouble(session: Session) -> MailTrouble:
    """What could not be delivered, and why at the last try."""
    waits = (OutboxRow.state == OutboxState.PENDING) & OutboxRow.last_error.is_not(None)
    gone = OutboxRow.state == OutboxState.FAILED
    count = select(func.count()).select_from(OutboxRow)
    reason = select(OutboxRow.last_error).where(waits | gone).order_by(waits.desc(), OutboxRow.id.desc()).limit(1)
    return MailTrouble(
        waiting=session.scalar(count.where(waits)) or 0,
        failed=session.scalar(count.where(gone)) or 0,
        reason=session.scalar(reason) or "",
    )


def next_due(session: Session) -> datetime | None:
    """When the next pending message may be sent; None: none waits."""
    return session.scalar(select(func.min(OutboxRow.not_before)).where(OutboxRow.state == OutboxState.PENDING))


def waiting_for_digest(session: Session, limit: int) -> list[OutboxRecord]:
    """Messages to be gathered, oldest first."""
    return _readable(session, _for_digest(limit))


def set_aside(session: Session, outbox_ids: Sequence[int]) -> int:
    """Leave pending messages to the next digest (the rate limit is reached); how many."""
    return _move(session, outbox_ids, OutboxState.PENDING, {"state": OutboxState.DIGEST})


def mark_gathered(session: Session, outbox_ids: Sequence[int], digest_key: str, now: datetime) -> int:
    """These stand in the digest with that key; call it in the transaction that puts the digest in. How many."""
    sent = {"state": OutboxState.SENT, "sent_at": now, "message_id": f"in digest {digest_key}"}
    return _move(session, outbox_ids, OutboxState.DIGEST, sent)


def mark_sent(session: Session, outbox_id: int, message_id: str, now: datetime) -> bool:
    """Delivered; False if it was not pending."""
    sent = {"state": OutboxState.SENT, "sent_at": now, "message_id": message_id, "last_error": None}
    return _move(session, [outbox_id], OutboxState.PENDING, sent) == 1


def mark_retry(session: Session, outbox_id: int, error: str, not_before: datetime) -> bool:
    """Not delivered this time; False if it was not pending."""
    failed = {"attempts": OutboxRow.attempts + 1, "last_error": error, "not_before": not_before}
    return _move(session, [outbox_id], OutboxState.PENDING, failed) == 1


def mark_failed(session: Session, outbox_id: int, error: str) -> bool:
    """Given up; the row stays for a person to see. False if it was not pending."""
    failed = {"attempts": OutboxRow.attempts + 1, "last_error": error, "state": OutboxState.FAILED}
    return _move(session, [outbox_id], OutboxState.PENDING, failed) == 1


def sent_since(session: Session, instant: datetime) -> int:
    """Messages delivered after `instant`, gathered ones not counted: the rate limit reads it."""
    statement = select(func.count()).select_from(OutboxRow)
    delivered = OutboxRow.message_id.not_like("in digest %")
    return session.scalar(statement.where(OutboxRow.sent_at > instant, delivered)) or 0


def counts(session: Session) -> OutboxCounts:
    """How many messages are in each state."""
    rows = session.execute(select(OutboxRow.state, func.count()).group_by(OutboxRow.state))
    found: Counter[str] = Counter()
    for state, count in rows:  # words that are none are one state
        found[state.value] += count
    return OutboxCounts(**found)


_TABLE = OutboxRow.metadata.tables[OutboxRow.__tablename__]


def _due(now: datetime, limit: int) -> Select[int]:
    due = (OutboxRow.state == OutboxState.PENDING) & (OutboxRow.not_before <= now)
    return select(OutboxRow.id).where(due).order_by(OutboxRow.not_before, OutboxRow.id).limit(limit)


def _for_digest(limit: int) -> Select[int]:
    return select(OutboxRow.id).where(OutboxRow.state == OutboxState.DIGEST).order_by(OutboxRow.id).limit(limit)


def _readable(session: Session, ids: Select[int]) -> list[OutboxRecord]:
    """Each row alone: one that cannot be read is left out (see `unreadable`), and hides no other."""
    found = []
    for outbox_id in session.scalars(ids).all():
        with suppress(ValueError):
            found.append(_to_record(session.get_one(OutboxRow, outbox_id)))
    return found


def _move(session: Session, outbox_ids: Sequence[int], leaving: OutboxState, values: dict[str, object]) -> int:
    statement = update(OutboxRow).where(OutboxRow.id.in_(outbox_ids), OutboxRow.state == leaving).values(**values)
    return rows_changed(session.execute(statement.execution_options(synchronize_session=False)))


def _to_record(row: OutboxRow) -> OutboxRecord:
    return OutboxRecord(
        outbox_id=row.id,
        message=row.message,
        execution_id=row.execution_id,
        state=row.state,
        attempts=row.attempts,
        not_before=row.not_before,
        created_at=row.created_at,
        sent_at=row.sent_at,
        message_id=row.message_id,
        last_error=row.last_error,
    )
