"""What people and programs ask of the daemon: rows, handled in their order in the transaction of their effect."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from runner.store.statements import rows_changed
from runner.store.tables import CommandRow


@dataclass(frozen=True, slots=True)
class Command:
    """A request and, once handled, its answer."""

    command_id: int
    verb: str
    arguments_json: str
    """The JSON of the model that the verb takes (`{}` for none)."""
    requested_by: str
    requested_at: datetime
    handled_at: datetime | None
    answer: str | None
    """In words, for whoever asked."""
    ok: bool | None


def enqueue(session: Session, verb: str, arguments: BaseModel | None, requested_by: str, now: datetime) -> int:
    """Ask for something; the id finds the answer."""
    row = CommandRow(
        verb=verb,
        arguments_json="{}" if arguments is None else arguments.model_dump_json(),
        requested_by=requested_by,
        requested_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def note_done(session: Session, verb: str, arguments: BaseModel, requested_by: str, words: str, now: datetime) -> None:
    """What a terminal did itself, as a row like any other: call it in the transaction of the effect."""
    answer(session, enqueue(session, verb, arguments, requested_by, now), True, words, now)


def pending(session: Session, limit: int) -> list[Command]:
    """What is not handled yet, oldest first."""
    rows = session.scalars(
        select(CommandRow).where(CommandRow.handled_at.is_(None)).order_by(CommandRow.id).limit(limit)
    )
    return [_to_command(row) for row in rows]


def answer(session: Session, command_id: int, ok: bool, words: str, now: datetime) -> bool:
    """Mark a command as handled; False if it was already. Call it in the transaction of the command's effect."""
    done = session.execute(
        update(CommandRow)
        .where(CommandRow.id == command_id, CommandRow.handled_at.is_(None))
        .values(handled_at=now, ok=ok, answer=words)
    )
    return rows_changed(done) == 1


def withdraw_older(session: Session, verb: str, than: datetime, words: str, now: datetime) -> int:
    """Answer with no what of this verb waits since before `than`; how many they were."""
    stale = select(CommandRow.id).where(
        CommandRow.verb == verb, CommandRow.handled_at.is_(None), CommandRow.requested_at < than
    )
    return sum(answer(session, number, False, words, now) for number in session.scalars(stale).all())


def get(session: Session, command_id: int) -> Command | None:
    """One command by its id."""
    row = session.get(CommandRow, command_id)
    return None if row is None else _to_command(row)


def _to_command(row: CommandRow) -> Command:
    return Command(
        command_id=row.id,
        verb=row.verb,
        arguments_json=row.arguments_json,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        handled_at=row.handled_at,
        answer=row.answer,
        ok=row.ok,
    )
