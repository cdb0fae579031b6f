"""What must be true of a pipeline run that has ended, whatever was killed on the way. Read from its files alone."""

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tiny_pipeline import TEACHER_GAMES, settings_for

from pipeline.data.store import GameStore
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.orchestrator.run_record import RunRecord, load_run
from pipeline.registry.model_store import ModelStore
from schemas.model import ModelStatus, PipelineState, PipelineStatus
from schemas.phases import DataSource
from schemas.times import from_text

PHASES = ["bootstrap", "hybrid", "self_play", "continuous"]


def audit(home: Path) -> None:
    """Assert it all."""
    settings = settings_for(home)
    record = load_run(settings.pipeline_dir)
    assert record is not None
    assert record.finished
    assert [phase.name for phase in record.phases if phase.done] == PHASES
    assert record.models_trained == len(PHASES)
    assert record.error_count == 0
    _audit_models(home, record)
    _audit_games(home, record)
    state = PipelineState.model_validate_json((settings.pipeline_dir / "state.json").read_bytes())
    assert state.status is PipelineStatus.COMPLETED
    assert state.phases_completed == PHASES
    assert (state.total_games_processed, state.total_models_trained) == (record.games, record.models_trained)
    assert state.champion_model == ModelStore(settings).champion().id


def _audit_models(home: Path, record: RunRecord) -> None:
    """One model for each phase, each judged once, one champion, every file whole."""
    settings = settings_for(home)
    model_store = ModelStore(settings)
    cards = model_store.list()
    assert sorted(card.training_phase for card in cards) == sorted(PHASES)
    assert {phase.model_id for phase in record.phases} == {card.id for card in cards}
    assert sum(card.status is ModelStatus.CHAMPION for card in cards) == 1
    assert all(card.status is not ModelStatus.CANDIDATE for card in cards)
    found = model_store.verify(from_text("2100-01-01T00:00:00Z"))
    assert not found.damaged, found
    decisions = Counter(
        event.model_id for event in model_store.events() if event.kind.value in ("promoted", "rejected")
    )
    assert decisions == {card.id: 1 for card in cards}
    rows = _rows(home, "SELECT model_id, opponent, snakes, games FROM evaluations")
    assert len({row[:3] for row in rows}) == len(rows)
    assert {row[0] for row in rows} == {f"model:{card.id}" for card in cards} or {row[0] for row in rows} == {
        card.id for card in cards
    }
    assert {row[3] for row in rows} == {8}
    assert _rows(home, "PRAGMA integrity_check") == [("ok",)]


def _audit_games(home: Path, record: RunRecord) -> None:
    """No game twice in the store, none torn; and the numbers told are those of the games that are there."""
    settings = settings_for(home)
    ids: list[str] = []
    files = sorted(settings.training_games_dir.rglob("*.parquet"))
    assert files
    for file in files:
        ids += pq.read_table(file, columns=["game_id"]).column("game_id").to_pylist()
    assert len(set(ids)) == len(ids)
    store = GameStore(settings.training_games_dir, settings.data)
    games = store.read()
    assert len(games) == len(ids)
    sources = Counter(game.source for game in games)
    assert sources[DataSource.HEURISTIC_SUPERVISION.value] == TEACHER_GAMES
    told = {phase.name: phase.games for phase in record.phases}
    assert told["bootstrap"] == TEACHER_GAMES
    assert told["hybrid"] == sources[DataSource.MIXED.value] == 8  # half of 16, in two rounds of two and four seats
    runs = settings.pipeline_dir / record.run_id
    kept = CheckpointFolder(runs / "self_play" / "checkpoints", 3).latest()
    assert kept is not None
    assert told["self_play"] == kept.counters["games"]
    assert told["continuous"] == json.loads((runs / "continuous" / "cycles.json").read_text())["games"]
    assert record.games == sum(told.values())


def _rows(home: Path, query: str) -> list[Any]:
    database = settings_for(home).database_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
