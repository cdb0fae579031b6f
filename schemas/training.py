"""What a training run is asked to do."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator

from schemas.frozen import Frozen


class TrainingPhase(StrEnum):
    """The built-in phases, in their order."""

    BOOTSTRAP = "bootstrap"
    HYBRID = "hybrid"
    SELF_PLAY = "self_play"
    CONTINUOUS = "continuous"


class Device(StrEnum):
    """Where the self-play pipeline computes."""

    AUTO = "auto"
    """A usable GPU, else the CPU."""
    CPU = "cpu"
    CUDA = "cuda"


class TrainingConfiguration(Frozen):
    """One training run. The self-play pipeline reads all of it; the Go-weight tuner reads the time limit,
    `force_retrain` (measure the baseline anew) and `max_consecutive_failures`."""

    target_phases: list[str] = Field(default_factory=lambda: [phase.value for phase in TrainingPhase], min_length=1)
    """Phases to run, in order; names of `TrainingPhase` or of custom phases in the configuration."""
    continuous_learning_enabled: bool = True
    max_training_time_hours: float = Field(default=12, gt=0, le=87_600)
    """Hours after which the run stops by itself, state saved; fractions allowed."""
    force_retrain: bool = False
    """Begin every phase from nothing; otherwise finished phases are not repeated."""
    device: Device = Device.AUTO
    """`cpu` or `cuda` make a run of worker `auto` the self-play pipeline, whatever hardware is found."""
    enable_monitoring: bool = True
    save_checkpoints: bool = True
    export_onnx: bool = True
    rollback_on_failure: bool = True
    max_consecutive_failures: int = Field(default=3, ge=1)
    min_improvement_threshold: float = Field(default=0.02, ge=0, le=1)
    """Smallest gain in win rate (0..1) for which a new champion is promoted."""
    progress_callback: Callable[[Any], None] | None = Field(default=None, exclude=True)
    """Called with each `PipelineState`; in-process runs only (a callback cannot cross to a worker)."""
    notification_callback: Callable[[Any], None] | None = Field(default=None, exclude=True)
    """Called with each finished run's result; in-process runs only."""

    @field_validator("target_phases")
    @classmethod
    def _phases_are_names(cls, phases: list[str]) -> list[str]:
        if any(not phase.strip() for phase in phases):
            raise ValueError("a phase name is empty")
        if len(set(phases)) != len(phases):
            raise ValueError("a phase is named twice")
        return phases
