"""The phases of self-play training and how each is trained."""

from enum import StrEnum

from pydantic import Field

from schemas.adjustable import Adjustable
from schemas.training import TrainingPhase


class DataSource(StrEnum):
    """Whose games a phase learns from."""

    HEURISTIC_SUPERVISION = "heuristic_supervision"
    """The teacher's own games: its moves and their outcome are the targets."""
    MIXED = "mixed"
    """Games of teacher and network; the teacher says what it would have played in the network's positions."""
    SELF_PLAY = "self_play"
    """The network's own games, by reinforcement learning."""
    CONTINUOUS = "continuous"
    """Cycles of self-play from the champion, each judged before it counts."""


class TrainingPhaseConfig(Adjustable):
    """How one phase is trained."""

    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    """The optimiser's highest step."""
    batch_size: int = Field(default=64, ge=2)
    """Positions in one step of the optimiser."""
    max_epochs: int = Field(default=50, ge=1)
    """Supervised: passes over the data. Self-play: updates of the network. Continuous: cycles."""
    games_required: int = Field(default=2000, ge=2)
    """Games the phase plays (or reads) before it is done; its time share may end it earlier."""
    data_source: DataSource = DataSource.HEURISTIC_SUPERVISION
    """Whose games the phase learns from."""
    heuristic_mix_ratio: float = Field(default=0.0, ge=0, le=1)
    """Share of the heuristic's games at the start of a mixed phase, and of heuristic opponents in self-play."""
    heuristic_mix_ratio_end: float | None = Field(default=None, ge=0, le=1)
    """The share at the end, reached in a straight line; None: it stays."""
    validation_split: float = Field(default=0.15, gt=0, lt=0.9)
    """Share of the games (never of positions) held back from supervised training."""
    early_stopping_patience: int = Field(default=10, ge=1)
    """Epochs without a better validation loss after which supervised training stops."""
    data_augmentation: bool = True
    """Supervised: show positions through all eight symmetries of the board."""
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    """Supervised: batches whose gradients make one step."""
    gradient_checkpointing: bool = False
    """Keep no activations of the convolutions, compute them again backwards: less memory, more time."""
    time_share: float = Field(default=1.0, gt=0)
    """Weight of this phase when a run's time limit is divided among its phases."""


def default_phases() -> dict[str, TrainingPhaseConfig]:
    """The four phases of the operations guide."""
    return {
        TrainingPhase.BOOTSTRAP.value: TrainingPhaseConfig(
            learning_rate=1e-3, batch_size=64, max_epochs=50, games_required=2000, time_share=1.0
        ),
        TrainingPhase.HYBRID.value: TrainingPhaseConfig(
            learning_rate=5e-4, batch_size=128, max_epochs=100, games_required=5000, data_source=DataSource.MIXED,
            heuristic_mix_ratio=0.7, heuristic_mix_ratio_end=0.3, time_share=1.0,
        ),
        TrainingPhase.SELF_PLAY.value: TrainingPhaseConfig(
            learning_rate=1e-4, batch_size=256, max_epochs=200, games_required=15_000, data_source=DataSource.SELF_PLAY,
            heuristic_mix_ratio=0.5, time_share=6.0,
        ),
        TrainingPhase.CONTINUOUS.value: TrainingPhaseConfig(
            learning_rate=5e-5, batch_size=256, max_epochs=50, games_required=1_000_000,
            data_source=DataSource.CONTINUOUS, heuristic_mix_ratio=0.5, time_share=2.0,
        ),
    }  # fmt: skip
