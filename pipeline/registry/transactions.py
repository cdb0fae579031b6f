"""What is read and written within one transaction: a model's row, and the steps of the history of champions."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, func, insert, select, update

from pipeline.engine.planes import ENCODER_ID
from pipeline.registry.tables import model_events, models
from schemas.base import Frozen
from schemas.errors import ModelError
from schemas.model import EvaluationResult, Measured, ModelCard, ModelDraft, ModelEvent, ModelEventKind, ModelStatus
from schemas.settings import describe
from schemas.times import from_text, to_text

Passing = Callable[[str], None]
IS_CHAMPION = models.c.status == ModelStatus.CHAMPION.value
_OF_THE_REGISTRY = ("id", "version", "status", "weights_file", "sha256", "size_bytes", "parameters", "damage")
REFERENCE = "heuristic:strong"
"""The opponent in whose duels a model's `win_rate` is measured."""


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


def evidence_text(evidence: Frozen | None, **more: Any) -> str:
    """Evidence as it is kept."""
    told = {} if evidence is None else {"kind": type(evidence).__name__} | evidence.model_dump(mode="json")
    return json.dumps(told | more)


def card_row(card: ModelCard) -> dict[str, Any]:
    """The columns of a card's row."""
    return {
        **{name: getattr(card, name) for name in _OF_THE_REGISTRY},
        **{name: getattr(card, name) for name in ("name", "architecture", "training_phase", "parent_id", "encoder_id")},
        "status": card.status.value,
        "created_at": to_text(card.created_at),
        "code_revision": card.code_revision,
        "seed": card.seed,
        "card_json": draft_of(card).model_dump_json(),
    }


def draft_of(card: ModelCard) -> ModelDraft:
    """The part of a card that its trainer told."""
    return ModelDraft.model_validate(card.model_dump(exclude=set(_OF_THE_REGISTRY)))


def card_of(row: Row[Any]) -> ModelCard:
    """The card of a row.

    Raises:
        ModelError: the row holds none (written by hand, or by another version).
    """
    try:
        draft = ModelDraft.model_validate_json(row.card_json)
        registered = {name: getattr(row, name) for name in _OF_THE_REGISTRY}
        return ModelCard.model_validate(draft.model_dump() | registered)
    except ValidationError as error:
        raise ModelError(
            f"the model's row cannot be read: {describe(error)}",
            where=f"models, id {row.id}",
            remedy="Restore the database from a backup.",
        ) from error


def event_of(row: Row[Any]) -> ModelEvent:
    """One step in the history of champions."""
    return ModelEvent(
        id=row.id,
        kind=ModelEventKind(row.kind),
        model_id=row.model_id,
        previous_id=row.previous_id,
        at=from_text(row.at),
        evidence=json.loads(row.evidence_json),
    )


def evaluation_row(result: EvaluationResult) -> dict[str, Any]:
    """The columns of an evaluation's row."""
    names = ("model_id", "opponent", "snakes", "games", "wins", "draws", "losses", "win_rate", "low", "high", "seed")
    return {
        **{name: getattr(result, name) for name in (*names, "conditions")},
        "evaluated_at": to_text(result.evaluated_at),
        "evaluation_json": result.model_dump_json(),
    }


def succession(events: Iterable[ModelEvent]) -> list[str]:
    """Ids of the champions that lead to the present one, which is last; the one before it is where a roll-back goes.

    A roll-back takes those off that came after its target; who was retired by hand is gone back to no more.

    Args:
        events: all of them, oldest first.
    """
    line: list[str] = []
    for event in events:
        if event.kind is ModelEventKind.PROMOTED:
            line.append(event.model_id)
        elif event.kind is ModelEventKind.ROLLED_BACK:
            while line and line[-1] != event.model_id:
                line.pop()
        elif event.kind is ModelEventKind.RETIRED:
            line = [model_id for model_id in line if model_id != event.model_id]
    return [model_id for place, model_id in enumerate(line) if place == 0 or line[place - 1] != model_id]


def measured_by(result: EvaluationResult) -> dict[str, Measured]:
    """By metric: `win_rate/OPPONENT/SNAKES`, for duels with the reference also `win_rate`, and the result's others."""
    how = f"{result.how}; {result.conditions}; against {result.opponent}, {result.snakes} snakes"
    rate = Measured(
        value=result.win_rate, low=result.low, high=result.high, games=result.games, seed=result.seed, how=how
    )
    values = dict(result.metrics)
    if result.strategic_score is not None:
        values["strategic_score"] = result.strategic_score
    found = {
        name: Measured(value=value, games=result.games, seed=result.seed, how=how) for name, value in values.items()
    }
    found[f"win_rate/{result.opponent}/{result.snakes}"] = rate
    if (result.opponent, result.snakes) == (REFERENCE, 2):
        found["win_rate"] = rate
    return found


def of_another_encoder(card: ModelCard) -> ModelError:
    """The error for a model that sees other planes than this version makes."""
    return ModelError(
        f"{card.id} was trained on the planes of encoder {card.encoder_id}; this version's is {ENCODER_ID}",
        where=card.id,
        remedy="Train it anew, or use the version that trained it.",
    )


def damaged_weights(card: ModelCard, folder: Path, damage: str) -> ModelError:
    """The error for a model whose file in `folder` is not what its row says; `damage` says how."""
    return ModelError(
        f"the weights of {card.id} are damaged: {damage}",
        where=str(folder / card.weights_file),
        remedy="Put the file back from a backup (`ouroboros models verify` looks again), or use another model; "
        "for the champion: `ouroboros models rollback`.",
    )
