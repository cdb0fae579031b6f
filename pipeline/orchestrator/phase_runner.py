"""What a run needs done, as its driver sees it: `ModelLifecycle` does it, tests put something small there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pipeline.orchestrator.run_record import RunRecord
from pipeline.phases.context import PhaseContext, PhaseResult
from schemas.model import ModelCard


class PhaseRunner(Protocol):
    """Trains, registers, judges."""

    def train(self, context: PhaseContext) -> PhaseResult:
        """Do a phase, or go on with it.

        Raises:
            TrainingError, ModelError: it cannot go on from what it has.
            NothingLearnedError: it came to its end without an update (OutOfTimeError: for want of time).
        """
        ...

    def register(self, result: PhaseResult, run: RunRecord, phase: str) -> ModelCard:
        """Put the network into the registry, once per run and phase, whatever was killed when."""
        ...

    def judge(self, card: ModelCard, run: RunRecord, stop: Callable[[], bool], budget_s: float) -> ModelCard | None:
        """Measure the model by games within so many seconds, promote it if it is proven better than the champion;
        return the champion.

        Raises:
            StoppedError: `stop` said so; what was measured and written stays.
        """
        ...

    def card(self, model_id: str) -> ModelCard:
        """A registered model's card.

        Raises:
            ModelError: no such model.
        """
        ...

    def why_unusable(self, model_id: str) -> str | None:
        """Why a registered model cannot be gone on from: damaged, or of another version; None: it can."""
        ...

    def champion(self) -> ModelCard | None:
        """The registered champion, None without one. One that cannot be used makes way for the one before it."""
        ...

    def champion_id(self) -> str | None:
        """Its id, None without one."""
        ...

    def roll_back_checkpoint(self, folder: Path) -> str:
        """Make the checkpoint before the last the one to go on from; return what was done, in words."""
        ...


@dataclass(frozen=True)
class Origin:
    """Where a model comes from."""

    run_id: str
    name: str
    phase: str
    parent: str | None


@dataclass(frozen=True)
class JudgingOrder:
    """How a candidate is judged: since when its run tests challengers, for what gain, from what seed, and within how
    many seconds."""

    run_id: str
    since: datetime
    gain: float
    seed: int
    stop: Callable[[], bool]
    budget_s: float
