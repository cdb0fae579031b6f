"""A model_store in a state folder of its own, and models to put on it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.planes import ENCODER_ID
from pipeline.registry.model_store import ModelStore
from schemas.model import ModelCard, ModelDraft
from schemas.network import NeuralNetworkConfig
from schemas.service import StorageSettings
from schemas.settings import Settings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def settings(database_kind: str, tmp_path: Path, empty_database: Path, request: pytest.FixtureRequest) -> Settings:
    (tmp_path / "state").mkdir()
    if database_kind == "postgresql":
        storage = StorageSettings(database_url=request.getfixturevalue("postgresql_url"))
        return Settings(home=tmp_path / "state", storage=storage)
    shutil.copyfile(empty_database, tmp_path / "state" / "automation_tracking.db")
    return Settings(home=tmp_path / "state")


@pytest.fixture
def model_store(settings: Settings) -> ModelStore:
    return ModelStore(settings)


@pytest.fixture
def draft() -> Callable[..., ModelDraft]:
    def make(name: str = "first", **more: object) -> ModelDraft:
        known = {
            "name": name,
            "architecture": "CNN_Simple",
            "training_phase": "bootstrap",
            "network": NeuralNetworkConfig(conv_channels=8, conv_blocks=1),
            "encoder_id": ENCODER_ID,
            "created_at": NOW,
        }
        return ModelDraft.model_validate(known | more)

    return make


@pytest.fixture
def put(model_store: ModelStore, draft: Callable[..., ModelDraft]) -> Callable[..., ModelCard]:
    """Registers a small model; another `number`, another model."""

    def one(name: str = "first", number: float = 0.0, **more: object) -> ModelCard:
        return model_store.put(draft(name, **more), {"layer": np.full(3, number, np.float32)})

    return one
