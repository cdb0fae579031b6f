"""What is too old is removed, a batch at a time, so that the daemon's own writes never wait long."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from runner.store import definitions
from runner.store.engine import Store
from runner.store.statements import rows_changed
from runner.store.states import OutboxState, TriggerFileState
from runner.store.tables import Base, CommandRow, DecisionRow, ExecutionRow, OccurrenceRow, OutboxRow, TriggerFileRow
from schemas.service import StorageSettings

_PAGES_PER_STEP = 1000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows one batch removed."""

    decisions: int
    occurrences: int
    executions: int
    messages: int
    commands: int
    trigger_files: int
    definitions: int

    @property
    def total(self) -> int:
        """What is told: a definition that nobody refers to any more was no row of the history."""
        story = self.decisions + self.occurrences + self.executions
        return story + self.messages + self.commands + self.trigger_files

    @property
    def nothing(self) -> bool:
        """Nothing is left that is too old."""
        return self.total + self.definitions == 0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run folder that is too old to be kept."""

    execution_id: int
    path: Path


def prune(session: Session, settings: StorageSettings, now: datetime, limit: int) -> Pruned:
    """Remove up to `limit` rows of each kind; call it, a transaction each, until it is `nothing`.

    Finished occurrences go with their executions and decisions, once their run folders are gone (see
    `expired_run_folders`: no folder is ever forgotten). Counters stay, and so do messages that were given up until
    they are as old as occurrences may be.
    """
    talk = now - timedelta(days=settings.keep_decisions_days)
    story = now - timedelta(days=settings.keep_occurrences_days)
    occurrences, executions, their_decisions = _prune_occurrences(session, story, limit)
    return Pruned(
        decisions=their_decisions + _prune(session, DecisionRow, DecisionRow.id, limit, DecisionRow.last_at < talk),
        occurrences=occurrences,
        executions=executions,
        messages=_prune(session, OutboxRow, OutboxRow.id, limit, OutboxRow.sent_at < talk)
        + _prune(
            session,
            OutboxRow,
            OutboxRow.id,
            limit,
            OutboxRow.state == OutboxState.FAILED,
            OutboxRow.created_at < story,
        ),
        commands=_prune(session, CommandRow, CommandRow.id, limit, CommandRow.handled_at < talk),
        trigger_files=_prune(
            session,
            TriggerFileRow,
            TriggerFileRow.id,
            limit,
            TriggerFileRow.state.in_([TriggerFileState.ARCHIVED, TriggerFileState.REJECTED]),
            TriggerFileRow.received_at < story,
        ),
        # Looking for them reads every definition: once, when nothing that refers to one is left to be removed.
        definitions=0 if occurrences else definitions.prune(session, limit),
    )


def expired_run_folders(
    session: Session, settings: StorageSettings, now: datetime, limit: int, passing_over: Collection[int] = ()
) -> list[RunFolder]:
    """Folders of finished runs to be deleted by the caller, who then calls `mark_run_folders_removed`; deleting one
    that is gone already must be harmless, for a crash may fall between the two.

    Args:
        passing_over: executions whose folders could not be deleted just now.
    """
    days = min(settings.keep_run_folders_days, settings.keep_occurrences_days)
    found = session.execute(
        select(ExecutionRow.id, ExecutionRow.run_dir)
        .where(ExecutionRow.completed_at < now - timedelta(days=days), ExecutionRow.run_dir_removed_at.is_(None))
        .order_by(ExecutionRow.completed_at)
        .limit(limit + len(passing_over))
    )
    rows = [row for row in found if row[0] not in passing_over][:limit]
    return [RunFolder(execution_id, path) for execution_id, path in rows]


def mark_run_folders_removed(session: Session, execution_ids: Sequence[int], now: datetime) -> None:
    """These executions' folders are gone."""
    statement = update(ExecutionRow).where(ExecutionRow.id.in_(execution_ids)).values(run_dir_removed_at=now)
    session.execute(statement.execution_options(synchronize_session=False))


def give_back_space(store: Store) -> None:
    """Return free pages to the file system in short steps, then empty the write-ahead log into the file."""
    left = store.release_pages(_PAGES_PER_STEP)
    while left:
        before, left = left, store.release_pages(_PAGES_PER_STEP)
        if left >= before:
            break  # others free pages faster, or the file was made without incremental vacuum: next time
    store.checkpoint()


def _prune(
    session: Session, table: type[Base], key: InstrumentedAttribute[int], limit: int, *too_old: ColumnElement[bool]
) -> int:
    doomed = select(key).where(*too_old).limit(limit)
    return _delete(session, table, key, list(session.scalars(doomed)))


def _prune_occurrences(session: Session, before: datetime, limit: int) -> tuple[int, int, int]:
    keeps_folder = exists().where(
        ExecutionRow.occurrence_id == OccurrenceRow.id, ExecutionRow.run_dir_removed_at.is_(None)
    )
    doomed = list(
        session.scalars(
            select(OccurrenceRow.id)
            .where(OccurrenceRow.finished_at < before, ~keeps_folder)
            .order_by(OccurrenceRow.finished_at)
            .limit(limit)
        )
    )
    executions = _delete(session, ExecutionRow, ExecutionRow.occurrence_id, doomed)
    decisions = _delete(session, DecisionRow, DecisionRow.occurrence_id, doomed)
    return _delete(session, OccurrenceRow, OccurrenceRow.id, doomed), executions, decisions


def _delete(session: Session, table: type[Base], key: InstrumentedAttribute[Any], values: list[int]) -> int:
    statement = delete(table).where(key.in_(values)).execution_options(synchronize_session=False)
    return rows_changed(session.execute(statement))
