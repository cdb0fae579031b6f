"""What people should hear of: alerts and mails of the outbox, and what was asked of the daemon."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from runner.web.read.rows import Row, Rows
from schemas.message import Message, MessageKind
from schemas.times import kept_instant

_LOOKED_AT = 400
"""Messages, the newest, among which alerts are sought."""
_ALERTS = frozenset({
    MessageKind.FAILURE, MessageKind.STAGNATION, MessageKind.DEGRADATION, MessageKind.CRASH_RECOVERY, MessageKind.ALERT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the outbox: one row per channel and address."""

    id: int
    kind: str
    execution_id: int | None
    subject: str
    headline: str
    advice: str
    channel: str
    recipients: tuple[str, ...]
    state: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class AskedCommand:
    """A command: who asked for what, and what came of it."""

    id: int
    verb: str
    arguments_json: str
    by: str
    at: datetime
    handled_at: datetime | None
    answer: str | None
    ok: bool | None


def alerts(rows: Rows, limit: int) -> list[Letter]:
    """The newest that are no good news, each once however many people were told."""
    found: dict[tuple[str, str], Letter] = {}
    statement = "SELECT * FROM (SELECT * FROM outbox ORDER BY id DESC LIMIT ?) AS newest WHERE kind IN (?, ?, ?, ?, ?)"
    for row in rows.execute(statement, (_LOOKED_AT, *sorted(_ALERTS))):
        letter = _letter(row)
        if letter is not None:
            found.setdefault((letter.subject, letter.headline), letter)
    return list(found.values())[:limit]


def letters_of(rows: Rows, execution_id: int) -> list[Letter]:
    """What was told of a run, oldest first."""
    found = rows.execute("SELECT * FROM outbox WHERE execution_id = ? ORDER BY id LIMIT 200", (execution_id,))
    return [letter for row in found if (letter := _letter(row)) is not None]


def undelivered(rows: Rows, limit: int) -> list[Letter]:
    """What waits to be sent and what was given up, newest first."""
    found = rows.execute(
        "SELECT * FROM outbox WHERE state IN ('pending', 'failed', 'digest') ORDER BY id DESC LIMIT ?", (limit,)
    )
    return [letter for row in found if (letter := _letter(row)) is not None]


def asked_lately(rows: Rows, limit: int, before: int | None = None) -> list[AskedCommand]:
    """The newest commands; those with ids below `before`, if it is given."""
    found = rows.execute("SELECT * FROM commands WHERE id < ? ORDER BY id DESC LIMIT ?", (before or 2**62, limit))
    return [asked_of(row) for row in found]


def asked_of(row: Row) -> AskedCommand:
    """A whole row of `commands`."""
    return AskedCommand(
        id=row["id"],
        verb=row["verb"],
        arguments_json=row["arguments_json"],
        by=row["requested_by"],
        at=kept_instant(row["requested_at"]),
        handled_at=kept_instant(row["handled_at"]) if row["handled_at"] else None,
        answer=row["answer"],
        ok=None if row["ok"] is None else bool(row["ok"]),
    )


def _letter(row: Row) -> Letter | None:
    try:
        message = Message.model_validate_json(row["payload_json"])
    except ValidationError:
        return None
    return Letter(
        id=row["id"],
        kind=row["kind"],
        execution_id=row["execution_id"],
        subject=message.subject,
        headline=message.headline,
        advice=message.advice,
        channel=message.channel,
        recipients=tuple(message.recipients),
        state=row["state"],
        attempts=row["attempts"],
        created_at=kept_instant(row["created_at"]),
        sent_at=kept_instant(row["sent_at"]) if row["sent_at"] else None,
        last_error=row["last_error"],
    )
