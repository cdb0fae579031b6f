"""What a condition is given, what it answers, and what it remembers between two looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from schemas.base import Frozen
from schemas.execution import Outcome
from schemas.ladder import LadderRating, LadderRegistration, LadderResult
from schemas.machine import ResourceSnapshot
from schemas.settings import Settings

Memory = TypeVar("Memory", bound=Frozen)


class FinishedRun(Frozen):
    """A finished execution, as far as conditions look at it."""

    execution_id: int
    schedule_name: str
    outcome: Outcome
    completed_at: datetime
    best_win_rate: float
    best_win_rate_games: int
    """The games behind it; 0: not measured."""
    best_model_version: str | None = None


class EndedRuns(Frozen):
    """Finished runs beyond some id, from one moment."""

    runs: list[FinishedRun]
    """By id, at most a thousand."""
    all_ended_up_to: int
    """Every run up to this id has ended, and is in `runs` if its id is above the one asked for."""


class OverdueRun(Frozen):
    """An occurrence that is due and has not started."""

    schedule_name: str
    scheduled_for: datetime


class RunnerView(Protocol):
    """What a condition may ask of the runner; it changes nothing a condition could see."""

    def games_counted(self) -> int:
        """All games that ever arrived in the games folder, counted up to now. It only rises."""
        ...

    def last_measured_success(self) -> FinishedRun | None:
        """The newest successful run with games behind its win rate: what the champion is registered with."""
        ...

    def recent_runs(self) -> list[FinishedRun]:
        """The newest finished runs, the newest first, at most fifty."""
        ...

    def ended_after(self, execution_id: int | None) -> EndedRuns:
        """What has ended since; None: since the oldest run that is still under way, or since the newest of all."""
        ...

    def overdue(self, before: datetime) -> list[OverdueRun]:
        """Occurrences scheduled at or before `before` that wait, and schedules whose fire nobody has looked at since
        then; the oldest first, at most a hundred."""
        ...

    def ladder_registrations(self) -> list[LadderRegistration]:
        """What our snakes are held to on the public Arena's ladder: the newest of each."""
        ...

    def ladder_results_after(self, snake_id: str, number: int) -> list[LadderResult]:
        """A snake's ladder games after that one, in their order, at most a thousand."""
        ...

    def ladder_ratings_since(self, since: datetime) -> list[LadderRating]:
        """Our snakes' ladder ratings from then on, and the last of each before it, in the order they came."""
        ...

    def resources(self) -> ResourceSnapshot | None:
        """The machine as last measured; None before the first measurement."""
        ...


@dataclass(frozen=True, slots=True)
class ConditionContext:
    """Everything a condition looks at."""

    trigger_name: str
    now: datetime
    parameters: Mapping[str, Any]
    cursor: str
    """What the last verdict returned; empty on the very first look."""
    settings: Settings
    working_dir: Path
    """The folder the daemon was started in: relative files are meant from here."""
    view: RunnerView


@dataclass(frozen=True, slots=True)
class ConditionVerdict:
    """A condition's answer."""

    fired: bool
    reason: str
    """One plain sentence with the figures, also when it did not fire."""
    cursor: str = ""
    """JSON text kept until the next look, in the transaction that records what fired, so that nothing fires twice."""


def load_cursor(model: type[Memory], cursor: str) -> Memory | None:
    """What the last look wrote; None on the first look, and for text that this version cannot read (a trigger whose
    condition was exchanged): the condition then begins anew."""
    if not cursor or cursor in {"{}", "null"}:
        return None
    try:
        return model.model_validate_json(cursor)
    except ValidationError:
        return None
