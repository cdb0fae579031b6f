"""What a training run is asked to do: its configuration, and the settings of optimiser, games and judging."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator

from schemas.base import Adjustable, Frozen


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


class DistributedBackend(StrEnum):
    """How processes that train together exchange gradients."""

    AUTO = "auto"
    """NCCL between GPUs, gloo between CPU processes."""
    NCCL = "nccl"
    GLOO = "gloo"


class TrainingOptimizationConfig(Adjustable):
    """The optimizer (AdamW) and the machine."""

    use_mixed_precision: bool = True
    """bfloat16 where a GPU computes; in self-play the trunk's convolutions on a CPU that has instructions for it."""
    gradient_clipping: float = Field(default=1.0, gt=0)
    """Largest norm of a gradient."""
    weight_decay: float = Field(default=0.01, ge=0)
    """By how much weights are drawn towards zero, as AdamW does it."""
    distributed_backend: DistributedBackend = DistributedBackend.AUTO
    """What several learners talk through; `auto`: NCCL on GPUs, else gloo."""
    distributed_processes: int = Field(default=1, ge=1)
    """Supervised: processes on a machine without a GPU; with `use_multi_gpu` there is one per GPU. Self-play uses all
    cores by `threads`."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads for training; None: as many as cores."""
    checkpoint_interval_s: float = Field(default=60, gt=0)
    """Seconds between checkpoints within a phase; one is also written at the end of each phase and at a stop."""
    keep_checkpoints: int = Field(default=5, ge=1)
    """The newest so many of a run are kept."""


class DataSettings(Adjustable):
    """The store of training games and the replay buffer."""

    max_games: int = Field(default=2_000_000, ge=1)
    """Stored games beyond which the oldest files are removed."""
    keep_days: int | None = Field(default=None, ge=1)
    """Age beyond which files of games are removed; None: only their number counts."""
    games_per_file: int = Field(default=2000, ge=1)
    """Games in one file of the store."""
    buffer_size: int = Field(default=100_000, ge=1)
    """Positions labelled by the expert that self-play keeps and learns from again, the newest ones."""
    quality_threshold: float = Field(default=0.0, ge=0, le=1)
    """Games of a lower quality score are stored but not learned from."""
    prioritized_sampling: bool = True
    """Draw of these by how far off the learner was on each; else all alike."""
    max_positions: int = Field(default=400_000, ge=100)
    """Positions that supervised training holds in memory at once (about 1.6 kB each), drawn from all its games."""
    teacher: str = "strong"
    """The heuristic whose games and moves are learned from."""


class TournamentConfig(Adjustable):
    """Tournaments, promotion and the limits of production."""

    games_per_matchup: int = Field(default=200, ge=2)
    """Games between two models, every seed from all seats; rounded up to whole seeds."""
    confidence_level: float = Field(default=0.95, gt=0.5, lt=1)
    """Of every interval that is told."""
    first_champion_floor: str | None = "voronoi"
    """Kind of compiled heuristic that a model has to beat to become champion where there is none: by the sequential
    test of promotions, in duels on fresh seeds, each from both seats. None: the first model becomes champion untested,
    which only tests with networks too small to win should ask for."""
    minimum_improvement: float = Field(default=0.02, ge=0, lt=0.5)
    """Gain in win rate against the champion that the promotion test is built to find."""
    min_win_rate_vs_heuristic: float = Field(default=0.65, ge=0, le=1)
    """Win rate in duels with the strong heuristic below which a model is not called production ready."""
    max_inference_time_ms: float = Field(default=10, gt=0)
    """p99 of one decision, batch size 1."""
    max_memory_mb: float = Field(default=50, gt=0)
    """Resident memory of a process that serves the model."""
    promotion_alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Error rate of all promotion tests of a run together: the chance that any useless challenger passes."""
    promotion_beta: float = Field(default=0.10, gt=0, lt=0.5)
    """Chance of dropping a challenger that is better by `minimum_improvement`."""
    max_promotion_games: int = Field(default=10_000, ge=2)
    """Games after which an undecided challenger is not promoted; a gain of 0.02 needs about so many to be found."""
    judging_share: float = Field(default=0.15, gt=0, lt=0.9)
    """Share of a training run's time that is kept for judging what it makes. Measuring a candidate takes a third of it
    at the most, its duels another third; a challenger that is not proven better by then is not promoted. What a won
    test asks for besides is played to its end. Every number of games above is the most that is played."""
    remeasure_games: int = Field(default=1000, ge=2)
    """Fresh games that measure a new champion after the decision."""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    """Seed of tournaments asked for by hand; None: one is drawn, and stored with the result."""
