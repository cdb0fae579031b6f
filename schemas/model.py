"""What is known of a model or snake in training."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.frozen import Frozen


class PipelineStatus(StrEnum):
    """Where a training run stands."""

    IDLE = "idle"
    INITIALIZING = "initializing"
    BOOTSTRAP_TRAINING = "bootstrap_training"
    HYBRID_TRAINING = "hybrid_training"
    SELF_PLAY_TRAINING = "self_play_training"
    CONTINUOUS_TRAINING = "continuous_training"
    EVALUATING = "evaluating"
    DEPLOYING = "deploying"
    COMPLETED = "completed"
    PAUSED = "paused"
    ERROR = "error"


class PipelineState(Frozen):
    """A run's state as its worker last told it: what `pipeline_state_json` of an execution holds."""

    status: PipelineStatus = PipelineStatus.IDLE
    current_phase: str | None = None
    """The phase, or `baseline`, `tuning`, `confirming` of the Go-weight tuner."""
    current_model: str | None = None
    champion_model: str | None = None
    phases_completed: list[str] = Field(default_factory=list)
    progress_percentage: float = Field(default=0, ge=0, le=100)
    total_training_time_hours: float = Field(default=0, ge=0)
    total_games_processed: int = Field(default=0, ge=0)
    total_models_trained: int = Field(default=0, ge=0)
    best_win_rate: float = Field(default=0, ge=0, le=1)
    """0 with `best_win_rate_games` 0 means: not measured yet."""
    best_win_rate_low: float | None = None
    best_win_rate_high: float | None = None
    """95 % interval of `best_win_rate`."""
    best_win_rate_games: int = Field(default=0, ge=0)
    """The games behind `best_win_rate`."""
    best_model_version: str | None = None
    inference_time_ms: float | None = None
    operation_details: str = ""
    iteration: int = Field(default=0, ge=0)
    games_per_second: float | None = None
    seed: int | None = None
    last_error: str | None = None
    error_count: int = Field(default=0, ge=0)
    consecutive_failures: int = Field(default=0, ge=0)
    cpu_usage_percent: float | None = None
    memory_usage_percent: float | None = None
    disk_usage_percent: float | None = None
    updated_at: datetime | None = None
