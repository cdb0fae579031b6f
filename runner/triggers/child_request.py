"""What goes to and comes from the process that runs a condition of the user's own."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field

from runner.triggers.context import EndedRuns, FinishedRun, OverdueRun, RunnerView
from schemas.base import Frozen
from schemas.ladder import LadderRating, LadderRegistration, LadderResult
from schemas.machine import ResourceSnapshot
from schemas.outside_text import ReasonText
from schemas.settings import Settings

RATINGS_OF = timedelta(days=30)


class ViewSnapshot(Frozen):
    """A `RunnerView` of one moment."""

    games: int
    measured: FinishedRun | None
    recent: list[FinishedRun]
    all_ended_up_to: int
    waiting: list[OverdueRun]
    machine: ResourceSnapshot | None
    registrations: list[LadderRegistration] = Field(default_factory=list)
    results: dict[str, list[LadderResult]] = Field(default_factory=dict)
    """Of each snake that is held to something, since it is."""
    ratings: list[LadderRating] = Field(default_factory=list)
    """Of the last thirty days."""

    def games_counted(self) -> int:
        return self.games

    def last_measured_success(self) -> FinishedRun | None:
        return self.measured

    def recent_runs(self) -> list[FinishedRun]:
        return self.recent

    def ended_after(self, execution_id: int | None) -> EndedRuns:
        beyond = self.all_ended_up_to if execution_id is None else execution_id
        runs = sorted((run for run in self.recent if run.execution_id > beyond), key=lambda run: run.execution_id)
        return EndedRuns(runs=runs, all_ended_up_to=self.all_ended_up_to)

    def overdue(self, before: datetime) -> list[OverdueRun]:
        return [run for run in self.waiting if run.scheduled_for <= before]

    def ladder_registrations(self) -> list[LadderRegistration]:
        return self.registrations

    def ladder_results_after(self, snake_id: str, number: int) -> list[LadderResult]:
        return [result for result in self.results.get(snake_id, []) if result.number > number]

    def ladder_ratings_since(self, since: datetime) -> list[LadderRating]:
        return [rating for rating in self.ratings if rating.at >= since]

    def resources(self) -> ResourceSnapshot | None:
        return self.machine


def snapshot(view: RunnerView, now: datetime) -> ViewSnapshot:
    """All that a view tells at `now`."""
    held = view.ladder_registrations()
    return ViewSnapshot(
        games=view.games_counted(),
        measured=view.last_measured_success(),
        recent=view.recent_runs(),
        all_ended_up_to=view.ended_after(None).all_ended_up_to,
        waiting=view.overdue(now),
        machine=view.resources(),
        registrations=held,
        results={one.snake_id: view.ladder_results_after(one.snake_id, one.up_to_result) for one in held},
        ratings=view.ladder_ratings_since(now - RATINGS_OF),
    )


class ChildRequest(Frozen):
    """One line on the child's standard input."""

    target: str
    """`package.module:function`."""
    trigger_name: str
    now: datetime
    parameters: dict[str, Any]
    cursor: str
    settings: Settings
    working_dir: Path
    view: ViewSnapshot | None
    """None: only say whether `target` can be called."""


class ChildAnswer(Frozen):
    """What the child writes."""

    fired: bool = False
    reason: ReasonText = ""
    cursor: str = ""
    error: ReasonText = ""
    """Not empty: the condition could not be imported, or raised."""
