"""Why a run did or did not start: one row per kind of decision, repeated ones folded."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from runner.store.statements import rows_changed
from runner.store.tables import DecisionRow
from schemas.execution import Decision


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision, and how often it was taken."""

    occurrence_id: int
    schedule_name: str
    decision: Decision
    """With the newest reason."""
    first_at: datetime
    last_at: datetime
    count: int


def record(session: Session, occurrence_id: int, schedule_name: str, decision: Decision, now: datetime) -> None:
    """Keep a decision. The same kind and code for the same occurrence again raises the count, and keeps the newest
    reason and time."""
    folded = session.execute(
        update(DecisionRow)
        .where(
            DecisionRow.occurrence_id == occurrence_id,
            DecisionRow.kind == decision.kind,
            DecisionRow.code == decision.code,
        )
        .values(count=DecisionRow.count + 1, last_at=now, reason=decision.reason)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(folded):
        return
    session.add(
        DecisionRow(
            occurrence_id=occurrence_id,
            schedule_name=schedule_name,
            kind=decision.kind,
            code=decision.code,
            reason=decision.reason,
            first_at=now,
            last_at=now,
            count=1,
        )
    )
    session.flush()


def of_occurrence(session: Session, occurrence_id: int) -> list[DecisionRecord]:
    """All decisions about one occurrence, in the order in which they were last taken."""
    rows = session.scalars(
        select(DecisionRow)
        .where(DecisionRow.occurrence_id == occurrence_id)
        .order_by(DecisionRow.last_at, DecisionRow.id)
    )
    return [_to_record(row) for row in rows]


def of_schedule(session: Session, schedule_name: str, limit: int) -> list[DecisionRecord]:
    """The latest decisions about a schedule's occurrences, newest first."""
    rows = session.scalars(
        select(DecisionRow)
        .where(DecisionRow.schedule_name == schedule_name)
        .order_by(DecisionRow.last_at.desc())
        .limit(limit)
    )
    return [_to_record(row) for row in rows]


def _to_record(row: DecisionRow) -> DecisionRecord:
    return DecisionRecord(
        occurrence_id=row.occurrence_id,
        schedule_name=row.schedule_name,
        decision=Decision(kind=row.kind, code=row.code, reason=row.reason),
        first_at=row.first_at,
        last_at=row.last_at,
        count=row.count,
    )
