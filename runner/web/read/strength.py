"""Registered models, what was measured of them, and tournaments: rows as they stand."""

from dataclasses import dataclass
from datetime import datetime

from runner.web.read.rows import Row, Rows
from schemas.times import from_text

_MODEL = (
    "id, name, version, status, architecture, training_phase, parent_id, encoder_id, weights_file, size_bytes, "
    "parameters, created_at, code_revision, damage"
)


@dataclass(frozen=True, slots=True)
class ModelView:
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
class EvaluationView:
    """One measurement, as it was played."""

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


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two entrants of a tournament: the first one's score, with its 95 % interval."""

    first: str
    second: str
    score: float
    low: float
    high: float
    games: int


def models(rows: Rows, limit: int, before: tuple[str, str] | None = None) -> list[ModelView]:
    """The newest first; behind (created_at, id) of the last one shown."""
    at, model_id = before or ("9", "")
    found = rows.execute(
        f"SELECT {_MODEL} FROM models WHERE (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?",  # noqa: S608
        (at, model_id, limit),
    )
    return [_model(row) for row in found]


def model(rows: Rows, model_id: str) -> ModelView | None:
    """One by its id."""
    row = rows.execute(f"SELECT {_MODEL} FROM models WHERE id = ?", (model_id,)).fetchone()  # noqa: S608
    return None if row is None else _model(row)


def evaluations(rows: Rows, model_id: str, limit: int, before: int | None = None) -> list[EvaluationView]:
    """Measurements of a model, the newest first; of all, where none is named."""
    found = rows.execute(
        "SELECT id, model_id, opponent, snakes, games, wins, draws, losses, win_rate, low, high, seed, conditions, "
        "evaluated_at FROM evaluations WHERE id < ? AND (? = '' OR model_id = ?) ORDER BY id DESC LIMIT ?",
        (before or 2**62, model_id, model_id, limit),
    )
    return [EvaluationView(**dict(row) | {"evaluated_at": from_text(row["evaluated_at"])}) for row in found]


def tournaments(rows: Rows) -> list[str]:
    """Their names."""
    return [row[0] for row in rows.execute("SELECT DISTINCT tournament FROM pairings ORDER BY tournament LIMIT 1000")]


def pairings(rows: Rows, tournament: str) -> list[Pairing]:
    """All of one tournament."""
    found = rows.execute(
        "SELECT first, second, score, low, high, games FROM pairings WHERE tournament = ? ORDER BY first, second",
        (tournament,),
    )
    return [Pairing(*row) for row in found]


def _model(row: Row) -> ModelView:
    return ModelView(**dict(row) | {"created_at": from_text(row["created_at"])})
