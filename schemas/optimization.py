"""How gradients become weights, and on what hardware."""

from enum import StrEnum

from pydantic import Field

from schemas.adjustable import Adjustable


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
