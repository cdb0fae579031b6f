"""Each version of a schedule's definition is kept once, found by its content."""

import hashlib
from collections.abc import Iterable

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from runner.store.statements import insert_or_ignore, rows_changed
from runner.store.tables import DefinitionRow, OccurrenceRow, ScheduleRow
from schemas.automation import TrainingSchedule

_PER_QUERY = 500


def digest(definition_json: str) -> str:
    """What a definition is found by."""
    return hashlib.sha256(definition_json.encode()).hexdigest()


def ids(session: Session, definitions: Iterable[TrainingSchedule]) -> dict[str, int]:
    """The id of each definition by its digest; those that are not there yet are kept now."""
    wanted = {digest(definition.model_dump_json()): definition for definition in definitions}
    known = _known(session, list(wanted))
    missing = [sha256 for sha256 in wanted if sha256 not in known]
    if missing:
        rows = [{"sha256": sha256, "definition_json": wanted[sha256]} for sha256 in missing]
        session.execute(insert_or_ignore(session, _TABLE), rows)
        known |= _known(session, missing)
    return known


def id_of(session: Session, definition: TrainingSchedule) -> int:
    """The id of one definition, kept now if it is not there yet."""
    (found,) = ids(session, [definition]).values()
    return found


def prune(session: Session, limit: int) -> int:
    """Remove up to `limit` definitions that no occurrence and no schedule refers to any more; how many."""
    used = (
        exists().where(OccurrenceRow.definition_id == DefinitionRow.id),
        exists().where(ScheduleRow.definition_id == DefinitionRow.id),
    )
    unused = list(session.scalars(select(DefinitionRow.id).where(~used[0], ~used[1]).limit(limit)))
    statement = delete(DefinitionRow).where(DefinitionRow.id.in_(unused))
    return rows_changed(session.execute(statement.execution_options(synchronize_session=False)))


_TABLE = DefinitionRow.metadata.tables[DefinitionRow.__tablename__]


def _known(session: Session, digests: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _PER_QUERY):
        some = digests[start : start + _PER_QUERY]
        rows = session.execute(select(DefinitionRow.sha256, DefinitionRow.id).where(DefinitionRow.sha256.in_(some)))
        found |= {row.sha256: row.id for row in rows}
    return found
