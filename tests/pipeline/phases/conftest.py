"""Orders for a phase that is small enough to be done in a blink."""

from datetime import UTC, datetime

import pytest

from pipeline.phases.context import PhaseContext
from schemas.network import ArchitectureType, NeuralNetworkConfig
from schemas.phases import TrainingPhaseConfig
from schemas.settings import Settings
from schemas.training import DataSettings, TrainingConfiguration

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def work(tmp_path):
    """A function that makes the orders of a phase: `work(games_required=4, ..., stop=..., base_model=...)`."""

    def make(name="phase", *, stop=lambda: False, base_model=None, champion=lambda: None, **phase):
        settings = Settings(
            home=tmp_path / "home",
            data=DataSettings(games_per_file=1, max_positions=200),
            neural_network=NeuralNetworkConfig(
                architecture_type=ArchitectureType.CNN_SIMPLE, conv_channels=4, conv_blocks=1, hidden_layers=[8],
                ground_steps=2,
                attention_heads=1,
            ),
        )  # fmt: skip
        return PhaseContext(
            name=name,
            phase=TrainingPhaseConfig(**{"max_epochs": 1, "batch_size": 16, **phase}),
            settings=settings,
            configuration=TrainingConfiguration(),
            folder=tmp_path / "run" / name,
            run_id="run_1",
            run_started_at=NOON,
            base_model=base_model,
            seed=7,
            budget_s=600.0,
            report=lambda *_: None,
            stop=stop,
            champion=champion,
            now=lambda: NOON,
            tell=lambda _line: None,
        )

    return make
