"""What a phase is given to work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.evolution.tensorboard_log import Report
from schemas.phases import TrainingPhaseConfig
from schemas.settings import Settings
from schemas.training import TrainingConfiguration


@dataclass(frozen=True)
class PhaseWork:
    """One phase's orders.

    `folder` is its own: checkpoints, curves. Given the same orders again after a kill it goes on where its checkpoints
    say, to the same end.
    """

    name: str
    phase: TrainingPhaseConfig
    settings: Settings
    configuration: TrainingConfiguration
    folder: Path
    run_id: str
    run_started_at: datetime
    base_model: str | None
    """The registered model to start from; None: from nothing."""
    seed: int
    """Of the run; every phase derives its own from it and its name."""
    budget_s: float
    """Seconds from now."""
    report: Report
    stop: Callable[[], bool]
    champion: Callable[[], str | None]
    """The registered champion's id, as it is now."""
    now: Callable[[], datetime]
    tell: Callable[[str], None]
