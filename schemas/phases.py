"""The phases of self-play training and how each is trained."""

from enum import StrEnum

from pydantic import Field

from schemas.base import Adjustable
from schemas.errors import SettingsError
from schemas.training import TrainingPhase

_UNBOUNDED = 1_000_000_000
"""Updates, games or cycles that no run lives to see: time ends it."""


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
    """Supervised: passes over the data. Self-play: updates of the network. Continuous: cycles of this run."""
    games_required: int = Field(default=2000, ge=2)
    """Games the phase plays (or reads) before it is done; its time share may end it earlier. Where both this and
    `max_epochs` are as large as self-play's defaults, time alone ends it."""
    data_source: DataSource = DataSource.HEURISTIC_SUPERVISION
    """Whose games the phase learns from."""
    heuristic_mix_ratio: float = Field(default=0.0, ge=0, le=1)
    """Share of the heuristic's games at the start of a mixed phase, and of heuristic opponents in self-play."""
    heuristic_mix_ratio_end: float | None = Field(default=None, ge=0, le=1)
    """The share at the end, reached in a straight line; None: it stays."""
    validation_split: float = Field(default=0.15, gt=0, lt=0.9)
    """Supervised: share of the games (never of positions) held back."""
    early_stopping_patience: int = Field(default=10, ge=1)
    """Supervised: epochs without a better validation loss after which training stops."""
    data_augmentation: bool = True
    """Show positions through all eight symmetries of the board; in self-play each game through one of them."""
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    """Batches whose gradients make one step."""
    gradient_checkpointing: bool = False
    """Keep no activations of the convolutions, compute them again backwards: less memory, more time."""
    time_share: float = Field(default=1.0, gt=0)
    """Weight of this phase when a run's time limit is divided among its phases."""


_SUPERVISED = (DataSource.HEURISTIC_SUPERVISION, DataSource.MIXED)
_IDLE = {
    "validation_split": (_SUPERVISED, "nothing is held back from self-play"),
    "early_stopping_patience": (_SUPERVISED, "self-play has no validation loss to wait for"),
    "heuristic_mix_ratio": (tuple(DataSource)[1:], "imitation learns from the teacher's games alone"),
    "heuristic_mix_ratio_end": (tuple(DataSource)[1:], "imitation learns from the teacher's games alone"),
}
"""Per field that not every kind of phase reads: the kinds that do, and why the others cannot."""


def refuse_idle_knobs(name: str, phase: TrainingPhaseConfig) -> None:
    """Refuse a phase in which a field was set that does nothing there.

    Raises:
        SettingsError: names the field, and why.
    """
    for field, (readers, reason) in _IDLE.items():
        default = TrainingPhaseConfig.model_fields[field].default
        if phase.data_source not in readers and getattr(phase, field) != default:
            raise SettingsError(
                f"{field} does nothing in a phase of {phase.data_source.value}: {reason}",
                where=f"training_phases.{name}.{field}",
                remedy="Leave it out.",
            )


def default_phases() -> dict[str, TrainingPhaseConfig]:
    """The four phases of the operations guide. Imitation and correction end when they have learned what they can; what
    time they leave is for self-play and cycles, which use all of it."""
    return {
        TrainingPhase.BOOTSTRAP.value: TrainingPhaseConfig(
            learning_rate=1e-3, batch_size=64, max_epochs=50, games_required=2000, time_share=1.0
        ),
        TrainingPhase.HYBRID.value: TrainingPhaseConfig(
            learning_rate=5e-4, batch_size=128, max_epochs=100, games_required=5000, data_source=DataSource.MIXED,
            heuristic_mix_ratio=0.7, heuristic_mix_ratio_end=0.3, time_share=1.0,
        ),
        TrainingPhase.SELF_PLAY.value: TrainingPhaseConfig(
            learning_rate=1e-4, batch_size=256, max_epochs=_UNBOUNDED, games_required=_UNBOUNDED,
            data_source=DataSource.SELF_PLAY, heuristic_mix_ratio=0.5, time_share=6.0,
        ),
        TrainingPhase.CONTINUOUS.value: TrainingPhaseConfig(
            learning_rate=5e-5, batch_size=256, max_epochs=_UNBOUNDED, games_required=_UNBOUNDED,
            data_source=DataSource.CONTINUOUS, heuristic_mix_ratio=0.5, time_share=2.0,
        ),
    }  # fmt: skip
