"""Trigger files, by which people ask for a run (table `drops`): each recorded before anything else becomes of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from runner.store.statements import rows_changed
from runner.store.states import TriggerFileState
from runner.store.tables import OccurrenceRow, TriggerFileRow


@dataclass(frozen=True, slots=True)
class TriggerFileRecord:
    """A trigger file and what has become of it."""

    file_id: int
    original_name: str
    claimed_path: Path
    """Where it was moved to: unique, whatever it was called."""
    sha256: str
    received_at: datetime
    state: TriggerFileState
    reason: str
    occurrence_id: int | None


def claim(session: Session, original_name: str, claimed_path: Path, sha256: str, received_at: datetime) -> int:
    """Record a claimed file; the same claimed path again (after a crash) gives the same id and changes nothing."""
    known = session.scalar(select(TriggerFileRow.id).where(TriggerFileRow.claimed_path == claimed_path))
    if known is not None:
        return known
    row = TriggerFileRow(
        original_name=original_name,
        claimed_path=claimed_path,
        sha256=sha256,
        received_at=received_at,
        state=TriggerFileState.CLAIMED,
        reason="",
    )
    session.add(row)
    session.flush()
    return row.id


def mark_queued(session: Session, file_id: int, occurrence_id: int) -> bool:
    """Its run is queued; False if it was not merely claimed. Call it in the transaction that records the run."""
    return _leave(
        session, file_id, (TriggerFileState.CLAIMED,), state=TriggerFileState.QUEUED, occurrence_id=occurrence_id
    )


def mark_rejected(session: Session, file_id: int, reason: str) -> bool:
    """It asks for nothing that can be done; False if it was not merely claimed."""
    return _leave(session, file_id, (TriggerFileState.CLAIMED,), state=TriggerFileState.REJECTED, reason=reason)


def mark_archived(session: Session, file_id: int, outcome: str) -> bool:
    """Its file lies in the archive with its outcome; False if it was never queued."""
    return _leave(session, file_id, (TriggerFileState.QUEUED,), state=TriggerFileState.ARCHIVED, reason=outcome)


def in_state(session: Session, state: TriggerFileState) -> list[TriggerFileRecord]:
    """All in a state, oldest first: a recovering daemon takes up CLAIMED and QUEUED ones."""
    rows = session.scalars(select(TriggerFileRow).where(TriggerFileRow.state == state).order_by(TriggerFileRow.id))
    return [_to_record(row) for row in rows]


def claimed_paths(session: Session) -> frozenset[Path]:
    """Where the files that are not done with were moved to."""
    unfinished = TriggerFileRow.state.in_(
        [TriggerFileState.CLAIMED, TriggerFileState.QUEUED, TriggerFileState.REJECTED]
    )
    return frozenset(session.scalars(select(TriggerFileRow.claimed_path).where(unfinished)))


def finished(session: Session, limit: int) -> list[tuple[TriggerFileRecord, str]]:
    """Queued ones whose occurrence has ended, and how, in words: to be archived."""
    rows = session.execute(
        select(TriggerFileRow, OccurrenceRow.id, OccurrenceRow.state, OccurrenceRow.reason)
        .join(OccurrenceRow, OccurrenceRow.id == TriggerFileRow.occurrence_id)
        .where(TriggerFileRow.state == TriggerFileState.QUEUED, OccurrenceRow.finished_at.is_not(None))
        .order_by(TriggerFileRow.id)
        .limit(limit)
    )
    return [
        (_to_record(row), f"occurrence {number} {state.value}{': ' if reason else ''}{reason}")
        for row, number, state, reason in rows
    ]


def _leave(session: Session, file_id: int, leaving: tuple[TriggerFileState, ...], **values: object) -> bool:
    statement = (
        update(TriggerFileRow).where(TriggerFileRow.id == file_id, TriggerFileRow.state.in_(leaving)).values(**values)
    )
    result = session.execute(statement.execution_options(synchronize_session=False))
    return rows_changed(result) == 1


def _to_record(row: TriggerFileRow) -> TriggerFileRecord:
    return TriggerFileRecord(
        file_id=row.id,
        original_name=row.original_name,
        claimed_path=row.claimed_path,
        sha256=row.sha256,
        received_at=row.received_at,
        state=row.state,
        reason=row.reason,
        occurrence_id=row.occurrence_id,
    )
