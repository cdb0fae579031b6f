"""Registered networks, the champions' history, and what was measured of whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from runner.web.read.rows import Row, Rows
from schemas.times import kept_instant, to_text

REFERENCE = "heuristic:strong"
"""The opponent in whose duels a network's win rate is measured."""


@dataclass(frozen=True, slots=True)
class Model:
    """A registered network."""

    id: str
    name: str
    version: int
    status: str
    architecture: str
    training_phase: str
    parent_id: str | None
    encoder_id: str
    weights_file: str
    size_bytes: int
    parameters: int
    created_at: datetime
    code_revision: str
    damage: str | None
    """What is wrong with its file; None: nothing is known of."""


@dataclass(frozen=True, slots=True)
class ChampionStep:
    """A step in the history of champions."""

    id: int
    kind: str
    model_id: str
    previous_id: str | None
    at: datetime
    evidence: Mapping[str, Any]

    @property
    def reason(self) -> str:
        """Why, in words, where the evidence has some."""
        return str(self.evidence.get("reason") or self.evidence.get("outcome") or "")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One measurement: the games of one seed."""

    id: int
    model_id: str
    opponent: str
    snakes: int
    games: int
    wins: int
    draws: int
    losses: int
    win_rate: float
    low: float
    high: float
    seed: int
    conditions: str
    evaluated_at: datetime


def models(rows: Rows, limit: int, before: tuple[str, str] | None = None) -> list[Model]:
    """The newest first; behind (created_at, id) of the last one shown."""
    at, model_id = before or ("9", "")
    found = rows.execute(
        f"SELECT {_MODEL} FROM models WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?",  # noqa: S608
        (at, model_id, limit),
    )
    return [_model(row) for row in found]


def model(rows: Rows, model_id: str) -> Model | None:
    """One by its id."""
    row = rows.execute(f"SELECT {_MODEL} FROM models WHERE id = ?", (model_id,)).fetchone()  # noqa: S608
    return None if row is None else _model(row)


def steps(rows: Rows, limit: int) -> list[ChampionStep]:
    """The history of champions, newest first."""
    found = rows.execute("SELECT * FROM model_events ORDER BY id DESC LIMIT ?", (limit,))
    return [
        ChampionStep(row["id"], row["kind"], row["model_id"], row["previous_id"], kept_instant(row["at"]),
             _object(row["evidence_json"]))
        for row in found
    ]  # fmt: skip


def evaluations_of(rows: Rows, model_id: str, limit: int, before: int | None = None) -> list[Evaluation]:
    """Measurements of a model, the newest first, behind the number of the last one shown; of all for ""."""
    found = rows.execute(
        f"SELECT {_EVALUATION} FROM evaluations WHERE id < ? AND (? = '' OR model_id = ?) ORDER BY id DESC LIMIT ?",  # noqa: S608
        (before or 2**62, model_id, model_id, limit),
    )
    return [_evaluation(row) for row in found]


def evaluations_since(rows: Rows, since: datetime, limit: int) -> list[Evaluation]:
    """Measurements since then, newest first."""
    found = rows.execute(
        f"SELECT {_EVALUATION} FROM evaluations WHERE evaluated_at >= ? ORDER BY evaluated_at DESC, id DESC LIMIT ?",  # noqa: S608
        (to_text(since), limit),
    )
    return [_evaluation(row) for row in found]


def champion_measured(rows: Rows) -> Evaluation | None:
    """The newest duels of the champion with REFERENCE; None: there is no champion, or it was not measured."""
    row = rows.execute(
        f"SELECT {_EVALUATION} FROM evaluations WHERE model_id = (SELECT id FROM models WHERE status = 'champion') AND "  # noqa: S608
        "opponent = ? AND snakes = 2 ORDER BY id DESC LIMIT 1",
        (REFERENCE,),
    ).fetchone()
    return None if row is None else _evaluation(row)


def evaluation(rows: Rows, number: int) -> tuple[Evaluation, Mapping[str, Any]] | None:
    """One measurement with all that was told of it."""
    row = rows.execute(f"SELECT {_EVALUATION}, evaluation_json FROM evaluations WHERE id = ?", (number,)).fetchone()  # noqa: S608
    return None if row is None else (_evaluation(row), _object(row["evaluation_json"]))


_MODEL = (
    "id, name, version, status, architecture, training_phase, parent_id, encoder_id, weights_file, size_bytes, "
    "parameters, created_at, code_revision, damage"
)
_EVALUATION = (
    "id, model_id, opponent, snakes, games, wins, draws, losses, win_rate, low, high, seed, conditions, evaluated_at"
)


def _model(row: Row) -> Model:
    return Model(**dict(row) | {"created_at": kept_instant(row["created_at"])})


def _evaluation(row: Row) -> Evaluation:
    told = {name: row[name] for name in _EVALUATION.split(", ")}
    return Evaluation(**told | {"evaluated_at": kept_instant(row["evaluated_at"])})


def _object(text: str) -> Mapping[str, Any]:
    try:
        tree = orjson.loads(text)
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) else {}
