"""A snake folder, a state folder, and trainers that play on a simulated landscape."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.continuous import ContinuousTrainer
from schemas.settings import Settings
from schemas.tuning import TunerSettings

CONFIG = """\
# a snake for tests
body:
  strength: 0.0  # [-2, 2] points
  strength_rarely: 0  # [-3, 3] whole
other:
  idle: 5.0   # does nothing
  count: 7
  on: true
name: viper
"""
FAST: dict[str, Any] = {
    "target_improvement": 0.2,
    "games": 20,
    "measure_games": 20,
    "baseline_games": 20,
    "max_games": 400,
    "screen": False,
    "interactions": False,
}


def strength(values: Mapping[str, Any]) -> float:
    """400 Elo a point: the sum of the weights called strength."""
    return 400 * sum(float(value) for path, value in values.items() if "strength" in path)


class Climber(ContinuousTrainer):
    """Raises strength by a half in every candidate."""

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
        config["body"]["strength"] += 0.5
        return config


class Sinker(ContinuousTrainer):
    """Makes every candidate much worse."""

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
        config["body"]["strength"] -= 0.5
        return config


class Bench:
    """See the module's text.

    Args:
        folder: an empty folder.
        clock: the time.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.home = folder / "automation"
        self.snake = folder / "snake"
        self.snake.mkdir(parents=True, exist_ok=True)
        self.config = self.snake / "config.yaml"
        self.config.write_text(CONFIG, encoding="utf-8")
        self.state = self.home / "nn_training_results"
        self.said: list[str] = []
        self.clock = clock
        self.backend = SimulatedBackend(strength)

    def trainer(
        self, kind: type[ContinuousTrainer] = ContinuousTrainer, *, trainer: dict[str, Any] | None = None, **tuner: Any
    ) -> ContinuousTrainer:
        """A trainer whose games the bench's backend plays; `tuner` are fields of its settings beside FAST."""
        fields = {"snake_dir": self.snake, "seed": 1, "max_iterations": 5} | FAST | tuner
        return kind(
            settings=Settings(home=self.home, tuner=TunerSettings.model_validate(fields)),
            echo=self.said.append,
            now=self.clock,
            backend=lambda *_: self.backend,
            **(trainer or {}),
        )

    def log(self) -> list[dict[str, Any]]:
        """The training log's lines."""
        path = self.state / "training_log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def checkpoint(self) -> dict[str, Any]:
        """`checkpoint.json`."""
        found: dict[str, Any] = json.loads((self.state / "checkpoint.json").read_text())
        return found

    @property
    def words(self) -> str:
        """All messages so far."""
        return "\n".join(self.said)
