"""What is known of a model or snake in training."""

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field, JsonValue

from schemas.base import Frozen
from schemas.network import NeuralNetworkConfig
from schemas.outside_text import ErrorText, NameText, ReasonText
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig


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
    current_phase: NameText | None = None
    """The phase, or `baseline`, `tuning`, `confirming` of the Go-weight tuner."""
    current_model: NameText | None = None
    champion_model: NameText | None = None
    phases_completed: list[NameText] = Field(default_factory=list)
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
    best_model_version: NameText | None = None
    inference_time_ms: float | None = None
    operation_details: ReasonText = ""
    iteration: int = Field(default=0, ge=0)
    games_per_second: float | None = None
    seed: int | None = None
    last_error: ErrorText | None = None
    error_count: int = Field(default=0, ge=0)
    consecutive_failures: int = Field(default=0, ge=0)
    cpu_usage_percent: float | None = None
    memory_usage_percent: float | None = None
    disk_usage_percent: float | None = None
    updated_at: datetime | None = None


class EvaluationResult(Frozen):
    """One measurement of a model against one opponent, as it was played; never changed afterwards."""

    model_id: str
    """Id in the registry; the player's name where it is no registered model."""
    model_name: str
    evaluated_at: AwareDatetime
    opponent: str
    """Name of the opponent: `heuristic:strong`, `model:<id>`; several are joined by a comma."""
    snakes: int = Field(ge=1)
    """Seats of the games: 2 is a duel, 4 the model alone among three opponents."""
    games: int = Field(ge=1)
    wins: int = Field(ge=0)
    """Games of which the model was the sole winner."""
    draws: int = Field(ge=0)
    """Games whose first place it shared, games ended by the turn limit included."""
    losses: int = Field(ge=0)
    win_rate: float = Field(ge=0, le=1)
    """Mean share of the first place: 1 alone, 1/k shared by k, 0 else; so a drawn duel counts half."""
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    """Interval of `win_rate` at `confidence`, from the spread between seeds."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    elo: float | None = None
    """Against the opponent, in duels; None where all games were won or lost, or there were more seats than two."""
    seed: int
    """From it all game seeds follow: the games can be played again."""
    conditions: str
    """Board, ruleset, map and turn limit, in words: `11x11 standard, map standard, 3000 turns`."""
    how: str
    """How it was measured: what games, seatings and interval."""
    strategic_score: float | None = Field(default=None, ge=0, le=100)
    metrics: dict[str, float] = Field(default_factory=dict)
    """Further numbers of the same games, by name."""


class ModelStatus(StrEnum):
    """Where a registered model stands."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    """One at a time; the database holds to it."""
    RETIRED = "retired"
    """A former champion, or one taken out of service by hand."""
    REJECTED = "rejected"
    """It was tested against the champion and not promoted."""


class Measured(Frozen):
    """A number, and what stands behind it."""

    value: float
    low: float | None = None
    high: float | None = None
    """Interval of `value`; None where none was computed."""
    games: int = Field(ge=0)
    """Games behind it; 0 for what is not measured by games (`how` says by what)."""
    seed: int | None = None
    how: str = Field(min_length=1)


class ModelDraft(Frozen):
    """What whoever trained a model tells of it when it is registered."""

    name: str = Field(min_length=1, max_length=100)
    """Chosen by the trainer; several versions may share it."""
    architecture: str = Field(min_length=1, max_length=100)
    training_phase: str = Field(min_length=1, max_length=100)
    network: NeuralNetworkConfig
    """From it the network is built again."""
    frame: int = Field(default=11, ge=1)
    """Cells on a side of the planes that it takes."""
    encoder_id: str = Field(min_length=1, max_length=100)
    """Of the encoder whose planes it was trained on; another encoder's planes mean something else."""
    parent_id: str | None = None
    """The registered model that its training started from."""
    created_at: AwareDatetime
    code_revision: str = Field(default="", max_length=100)
    seed: int | None = None
    """Of its training."""
    phase: TrainingPhaseConfig | None = None
    """The phase's configuration as it was."""
    optimization: TrainingOptimizationConfig | None = None
    games_learned: int = Field(default=0, ge=0)
    """Games whose positions it has learned from in this phase."""
    positions_learned: int = Field(default=0, ge=0)
    data_sources: list[str] = Field(default_factory=list)
    measured: dict[str, Measured] = Field(default_factory=dict)
    """By metric; `win_rate` is the one in duels with the strong heuristic."""
    claimed: dict[str, float] = Field(default_factory=dict)
    """Numbers told without anything behind them; nothing is decided by them."""
    notes: str = ""


class ModelCard(ModelDraft):
    """A registered model: its draft, and what the registry knows of it."""

    id: str = Field(min_length=1, max_length=120)
    version: int = Field(ge=1)
    """Counts within its name."""
    status: ModelStatus
    weights_file: str
    """Its name in the models folder: safetensors."""
    sha256: str = Field(min_length=64, max_length=64)
    """Of the weights file."""
    size_bytes: int = Field(ge=1)
    parameters: int = Field(ge=0)
    """Numbers in the weights file, running statistics of batch norms included."""
    damage: str | None = None
    """What was last seen wrong with its weights file; None: nothing."""

    @property
    def win_rate(self) -> Measured | None:
        """In duels with the strong heuristic; None: never measured."""
        return self.measured.get("win_rate")


class ModelEventKind(StrEnum):
    """What became of a model."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    """It became the champion again, in place of `previous_id`."""
    RETIRED = "retired"
    REJECTED = "rejected"
    RETURNED_TO = "returned_to"
    """A learner that was refused too often in a row took over its weights."""


class ModelEvent(Frozen):
    """One step in the history of champions."""

    id: int
    kind: ModelEventKind
    model_id: str
    previous_id: str | None
    """The champion before, where this changed it."""
    at: AwareDatetime
    evidence: dict[str, JsonValue]
    """Why, as it was known then."""


class SetAside(Frozen):
    """Evidence of a step away from a model that cannot be used."""

    set_aside: str
    reason: str


class Returned(Frozen):
    """Evidence of a learner's return to the champion."""

    learner: str
    """The last model it made."""
    refused: int
    """Cycles of it that were refused in a row."""
    reason: str


class ByHand(Frozen):
    """Evidence of a step that a person asked for."""

    asked_by: str
    reason: str = ""
