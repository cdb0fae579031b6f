"""What is written down of a run, so that it goes on after any kill: `run.json` in the pipeline's folder."""

from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError

from schemas.base import Frozen
from schemas.errors import StateError
from schemas.files import write_atomic
from schemas.settings import describe
from schemas.training import TrainingConfiguration

JUDGING = "judging"
"""In a run's folder: a journal of games for each network that was judged."""
RUN_FILE = "run.json"


class PhaseRecord(Frozen):
    """How far one phase has come."""

    name: str
    spent_s: float = 0
    """Seconds of work in it, over all parts of the run."""
    done: bool = False
    model_id: str | None = None
    """The registered model it ended with; done or not: it may have to be judged yet."""
    games: int = 0
    """Played in it for training, over all parts of the run."""
    failures: int = 0
    given_up: str | None = None
    """Why it is left without having learned anything; None: it is not."""


class RunRecord(Frozen):
    """One run of the pipeline, in parts if it must be."""

    run_id: str
    seed: int = Field(ge=0, lt=2**63)
    started_at: datetime
    configuration: TrainingConfiguration
    phases: list[PhaseRecord]
    base_model: str | None = None
    """The registered model the first phase starts from; None: from nothing."""
    spent_s: float = 0
    games: int = 0
    models_trained: int = 0
    error_count: int = 0
    consecutive_failures: int = 0
    last_error: str | None = None
    progress: float = Field(default=0, ge=0, le=1)
    """The farthest it was ever said to be."""
    finished: bool = False

    def next_phase(self) -> PhaseRecord | None:
        """The first phase that is neither done nor given up."""
        return next((phase for phase in self.phases if not phase.done and phase.given_up is None), None)

    def with_phase(self, changed: PhaseRecord) -> Self:
        """The same run with one phase's record replaced."""
        phases = [changed if phase.name == changed.name else phase for phase in self.phases]
        return self.model_copy(update={"phases": phases})

    def latest_model(self) -> str | None:
        """The model the next phase starts from."""
        ended = [phase.model_id for phase in self.phases if phase.done and phase.model_id]
        return ended[-1] if ended else self.base_model

    def save(self, folder: Path) -> None:
        """Write it; OSError if the disk does not take it."""
        write_atomic(folder / RUN_FILE, self.model_dump_json(indent=2) + "\n")


def load_run(folder: Path) -> RunRecord | None:
    """The folder's run, None if there is none.

    Raises:
        StateError: the file cannot be read or understood; names it.
    """
    path = folder / RUN_FILE
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"the run's record cannot be read: {error.strerror}", where=str(path)) from error
    except ValidationError as error:
        raise StateError(
            f"the run's record is damaged: {describe(error)}",
            where=str(path),
            remedy="`attempt_recovery()` sets it aside; the registered models are not touched.",
        ) from error
