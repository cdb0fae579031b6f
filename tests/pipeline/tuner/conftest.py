"""The simulated arena, and trainers that play in it."""

import importlib.util
import itertools
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.tuner.trainer import ContinuousTrainer
from schemas.settings import Settings
from schemas.tuning import TunerSettings


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_SIMULATED = _load("simulated_arena")


@pytest.fixture
def simulated() -> ModuleType:
    """`simulated_arena.py`."""
    return _SIMULATED


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that is one second later at every look."""
    ticks = itertools.count()
    return lambda: datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(seconds=next(ticks))


class Bench:
    """A snake folder, a state folder, and trainers on them."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.home = folder / "automation"
        self.snake = _SIMULATED.snake_folder(folder / "snake")
        self.config = self.snake / "config.yaml"
        self.state = self.home / "nn_training_results"
        self.said: list[str] = []
        self.clock = clock
        self.arena = _SIMULATED.SimulatedArena()

    def trainer(
        self, kind: type[ContinuousTrainer] = ContinuousTrainer, *, trainer: dict[str, Any] | None = None, **tuner: Any
    ) -> ContinuousTrainer:
        """A trainer in the bench's arena; `tuner` are fields of its settings."""
        fields = {"snake_dir": self.snake, "seed": 1, "max_iterations": 5, "measure_games": 20} | tuner
        return kind(
            settings=Settings(home=self.home, tuner=TunerSettings.model_validate(fields)),
            echo=self.said.append,
            now=self.clock,
            arena=lambda _source: self.arena,
            **(trainer or {}),
        )

    def log(self) -> list[dict[str, Any]]:
        """The training log's lines."""
        import json

        path = self.state / "training_log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def words(self) -> str:
        """All messages so far."""
        return "\n".join(self.said)


@pytest.fixture
def bench(tmp_path: Path, clock: Callable[[], datetime]) -> Bench:
    """See `Bench`."""
    return Bench(tmp_path, clock)
