"""Registered networks, the champions' history, and what was measured of whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from runner.web.read.rows import Row, Rows
from schemas.times import from_text, to_text

REFERENCE = "heuristic:strong"
"""The opponent in whose duels a network's win rate is measured."""


@dataclass(frozen=True, slots=True)
class Model:
    """A registered network."""

    id: str
    name: str
    version: int
    status: str
    phase: str
    parent_id: str | None
    parameters: int
    size_bytes: int
    created_at: datetime
    damage: str | None


@dataclass(frozen=True, slots=True)
class Step:
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
    at: datetime


def models(rows: Rows, limit: int) -> list[Model]:
    """The newest first."""
    found = rows.execute(
        "SELECT id, name, version, status, training_phase, parent_id, parameters, size_bytes, created_at, damage "
        "FROM models ORDER BY created_at DESC, id LIMIT ?",
        (limit,),
    )
    return [
        Model(
            id=row["id"],
            name=row["name"],
            version=row["version"],
            status=row["status"],
            phase=row["training_phase"],
            parent_id=row["parent_id"],
            parameters=row["parameters"],
            size_bytes=row["size_bytes"],
            created_at=from_text(row["created_at"]),
            damage=row["damage"],
        )
        for row in found
    ]


def steps(rows: Rows, limit: int) -> list[Step]:
    """The history of champions, newest first."""
    found = rows.execute("SELECT * FROM model_events ORDER BY id DESC LIMIT ?", (limit,))
    return [
        Step(row["id"], row["kind"], row["model_id"], row["previous_id"], from_text(row["at"]),
             _object(row["evidence_json"]))
        for row in found
    ]  # fmt: skip


def evaluations(rows: Rows, since: datetime, limit: int) -> list[Evaluation]:
    """Measurements since then, newest first."""
    found = rows.execute(
        f"SELECT {_COLUMNS} FROM evaluations WHERE evaluated_at >= ? ORDER BY evaluated_at DESC, id DESC LIMIT ?",  # noqa: S608
        (to_text(since), limit),
    )
    return [_evaluation(row) for row in found]


def latest_evaluations(rows: Rows, limit: int) -> list[Evaluation]:
    """The newest measurements, whenever they were made."""
    found = rows.execute(f"SELECT {_COLUMNS} FROM evaluations ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608
    return [_evaluation(row) for row in found]


def champion_measured(rows: Rows) -> Evaluation | None:
    """The newest duels of the champion with REFERENCE; None: there is no champion, or it was not measured."""
    row = rows.execute(
        f"SELECT {_COLUMNS} FROM evaluations WHERE model_id = (SELECT id FROM models WHERE status = 'champion') AND "  # noqa: S608
        "opponent = ? AND snakes = 2 ORDER BY id DESC LIMIT 1",
        (REFERENCE,),
    ).fetchone()
    return None if row is None else _evaluation(row)


def evaluation(rows: Rows, number: int) -> tuple[Evaluation, Mapping[str, Any]] | None:
    """One measurement with all that was told of it."""
    row = rows.execute(f"SELECT {_COLUMNS}, evaluation_json FROM evaluations WHERE id = ?", (number,)).fetchone()  # noqa: S608
    return None if row is None else (_evaluation(row), _object(row["evaluation_json"]))


_COLUMNS = (
    "id, model_id, opponent, snakes, games, wins, draws, losses, win_rate, low, high, seed, conditions, evaluated_at"
)


def _evaluation(row: Row) -> Evaluation:
    return Evaluation(
        id=row["id"],
        model_id=row["model_id"],
        opponent=row["opponent"],
        snakes=row["snakes"],
        games=row["games"],
        wins=row["wins"],
        draws=row["draws"],
        losses=row["losses"],
        win_rate=row["win_rate"],
        low=row["low"],
        high=row["high"],
        seed=row["seed"],
        conditions=row["conditions"],
        at=from_text(row["evaluated_at"]),
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        tree = orjson.loads(text)
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) else {}
