"""Between rows and the models of `schemas.model`."""

import json
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row

from schemas.errors import ModelError
from schemas.model import EvaluationResult, ModelCard, ModelDraft, ModelEvent, ModelEventKind
from schemas.settings import describe
from schemas.times import from_text, to_text

_OF_THE_REGISTRY = ("id", "version", "status", "weights_file", "sha256", "size_bytes", "parameters", "damage")


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
