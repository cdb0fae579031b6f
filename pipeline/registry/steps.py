"""What is read and written within one transaction: a model's row, and the steps of the history of champions."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from pipeline.registry.rows import card_of, card_row, draft_of, event_of
from pipeline.registry.tables import model_events, models
from schemas.base import Frozen
from schemas.errors import ModelError
from schemas.model import ModelCard, ModelDraft, ModelEvent, ModelEventKind, ModelStatus
from schemas.times import to_text

Passing = Callable[[str], None]
IS_CHAMPION = models.c.status == ModelStatus.CHAMPION.value


def find_card(connection: Connection, model_id: str) -> ModelCard | None:
    """The card of a model; None: no such model.

    Raises:
        ModelError: its row cannot be read.
    """
    row = connection.execute(select(models).where(models.c.id == model_id)).one_or_none()
    return None if row is None else card_of(row)


def card(connection: Connection, model_id: str) -> ModelCard:
    """The card of a model.

    Raises:
        ModelError: no such model.
    """
    found = find_card(connection, model_id)
    if found is None:
        raise ModelError("no such model", where=model_id, remedy="`ouroboros models list` shows them.")
    return found


def champion_id(connection: Connection) -> str | None:
    """The champion; None: there is none yet."""
    return connection.execute(select(models.c.id).where(IS_CHAMPION)).scalar_one_or_none()


def events(connection: Connection) -> Sequence[ModelEvent]:
    """The history of champions, oldest first."""
    return [event_of(row) for row in connection.execute(select(model_events).order_by(model_events.c.id))]


def enter(connection: Connection, draft: ModelDraft, weights_file: str, registered: dict[str, Any]) -> ModelCard:
    """Write the row of a new candidate; one whose row is there is only marked as undamaged.

    Args:
        connection: a transaction that may write.
        draft: what is known of it.
        weights_file: its name; it must be there by now.
        registered: `id`, `sha256`, `size_bytes` and `parameters`.

    Raises:
        ModelError: another model has this id.
    """
    there = find_card(connection, registered["id"])
    if there is not None:
        if there.sha256 != registered["sha256"]:  # 48 bits of the hash are in the id
            raise ModelError("another model of this name has the same id", where=there.id, remedy="Name it anew.")
        note_damage(connection, there.id, None)
        return there.model_copy(update={"damage": None})
    newest = connection.execute(select(func.max(models.c.version)).where(models.c.name == draft.name)).scalar()
    more = {"version": (newest or 0) + 1, "status": ModelStatus.CANDIDATE, "weights_file": weights_file}
    entered = ModelCard.model_validate(draft.model_dump() | registered | more)
    connection.execute(insert(models).values(card_row(entered)))
    return entered


def crown(
    connection: Connection, chosen: str, kind: ModelEventKind, evidence_json: str, now: datetime, passing: Passing
) -> None:
    """Make `chosen` the champion, retire the one before, and tell it in the history."""
    before = champion_id(connection)
    connection.execute(update(models).where(IS_CHAMPION).values(status=ModelStatus.RETIRED.value))
    passing("old champion retired")
    new = update(models).where(models.c.id == chosen)
    connection.execute(new.values(status=ModelStatus.CHAMPION.value, damage=None))
    passing("new champion written")
    tell(connection, kind, chosen, before, evidence_json, now)
    passing("event written")


def dethrone(connection: Connection, evidence_json: str, now: datetime) -> None:
    """Retire the champion, if there is one, and leave its place empty."""
    before = champion_id(connection)
    if before is None:
        return
    connection.execute(update(models).where(IS_CHAMPION).values(status=ModelStatus.RETIRED.value))
    tell(connection, ModelEventKind.RETIRED, before, before, evidence_json, now)


def leave(
    connection: Connection, leaving: ModelCard, kind: ModelEventKind, evidence_json: str, now: datetime
) -> ModelCard:
    """Retire or reject a model.

    Raises:
        ModelError: it is the champion.
    """
    if leaving.status is ModelStatus.CHAMPION:
        raise ModelError(
            "the champion cannot be retired or rejected",
            where=leaving.id,
            remedy="Promote another model first, or roll back.",
        )
    status = ModelStatus.RETIRED if kind is ModelEventKind.RETIRED else ModelStatus.REJECTED
    connection.execute(update(models).where(models.c.id == leaving.id).values(status=status.value))
    tell(connection, kind, leaving.id, None, evidence_json, now)
    return leaving.model_copy(update={"status": status})


def tell(
    connection: Connection,
    kind: ModelEventKind,
    model_id: str,
    before: str | None,
    evidence_json: str,
    now: datetime,
) -> None:
    """Add a step to the history of champions."""
    row = {"kind": kind.value, "model_id": model_id, "previous_id": before, "at": to_text(now)}
    connection.execute(insert(model_events).values(row | {"evidence_json": evidence_json}))


def note_damage(connection: Connection, model_id: str, damage: str | None) -> None:
    """Note what is wrong with a model's weights file; None: nothing."""
    connection.execute(update(models).where(models.c.id == model_id).values(damage=damage))


def change_draft(connection: Connection, changed: ModelCard) -> None:
    """Write the part of a card that is kept as a whole."""
    row = update(models).where(models.c.id == changed.id)
    connection.execute(row.values(card_json=draft_of(changed).model_dump_json()))


def words(evidence: Frozen | None, **more: Any) -> str:
    """Evidence as it is kept."""
    told = {} if evidence is None else {"kind": type(evidence).__name__} | evidence.model_dump(mode="json")
    return json.dumps(told | more)
