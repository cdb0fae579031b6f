"""A view without a store, contexts for conditions, and finished games as lines."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.store.engine import Store
from runner.triggers.context import ConditionContext, EndedRuns, FinishedRun, OverdueRun
from schemas.execution import Outcome
from schemas.ladder import LadderRating, LadderRegistration, LadderResult
from schemas.machine import GpuFinding, GpuState, ResourceSnapshot
from schemas.settings import Settings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class PlainView:
    """A `RunnerView` with given answers."""

    games: int = 0
    measured: FinishedRun | None = None
    ended: list[FinishedRun] = field(default_factory=list)
    under_way: list[int] = field(default_factory=list)
    waiting: list[OverdueRun] = field(default_factory=list)
    machine: ResourceSnapshot | None = None
    held: list[LadderRegistration] = field(default_factory=list)
    results: list[LadderResult] = field(default_factory=list)
    ratings: list[LadderRating] = field(default_factory=list)

    def ladder_registrations(self) -> list[LadderRegistration]:
        return self.held

    def ladder_results_after(self, snake_id: str, number: int) -> list[LadderResult]:
        return [result for result in self.results if result.number > number][:1000]

    def ladder_ratings_since(self, since: datetime) -> list[LadderRating]:
        return [rating for rating in self.ratings if rating.at >= since]

    def games_counted(self) -> int:
        return self.games

    def last_measured_success(self) -> FinishedRun | None:
        return self.measured

    def recent_runs(self) -> list[FinishedRun]:
        return self.ended[::-1][:50]

    def ended_after(self, execution_id: int | None) -> EndedRuns:
        highest = max([run.execution_id for run in self.ended], default=0)
        up_to = min(self.under_way) - 1 if self.under_way else highest
        beyond = up_to if execution_id is None else execution_id
        return EndedRuns(runs=[run for run in self.ended if run.execution_id > beyond], all_ended_up_to=up_to)

    def overdue(self, before: datetime) -> list[OverdueRun]:
        return [run for run in self.waiting if run.scheduled_for <= before]

    def resources(self) -> ResourceSnapshot | None:
        return self.machine


def a_run(number: int, **fields: Any) -> FinishedRun:
    values = {"schedule_name": "nightly", "outcome": Outcome.SUCCEEDED, "completed_at": NOW - timedelta(hours=1)}
    return FinishedRun(**{"execution_id": number, "best_win_rate": 0.6, "best_win_rate_games": 400, **values, **fields})


def a_machine(**fields: Any) -> ResourceSnapshot:
    gpu = GpuState(finding=GpuFinding.ABSENT, detail="none")
    values: dict[str, Any] = {
        "taken_at": NOW, "cpu_usage_percent": 10, "usable_cores": 2, "load_per_core": 0.1, "total_memory_gb": 16,
        "free_memory_gb": 8, "free_disk_gb": 100, "gpu": gpu,
    }  # fmt: skip
    return ResourceSnapshot(**{**values, **fields})


def a_game(number: str, result: str = "win", /, **fields: Any) -> str:
    snakes = [{"id": "me", "name": "Ouro"}, {"id": "other", "name": "Rival"}]
    frames = [{"t": 0, "s": [[0, 100, 3, 1, 1]], "b": [[0, [1, 1, 1, 1, 1, 1]]]}]
    tree = {
        "format": "ouroboros-game-log/1", "game_id": number, "ruleset": "standard", "map": "standard",
        "source": "ladder", "timeout_ms": 500,
        "settings": {"foodSpawnChance": 15, "minimumFood": 1, "hazardDamagePerTurn": 14, "shrinkEveryNTurns": 25},
        "width": 11, "height": 11, "you": 0, "snakes": snakes, "outcome": result, "turns": 120,
        "started_at": "2026-11-21T11:58:00.000Z", "ended_at": "2026-11-21T11:59:00.000Z", "frames": frames,
    }  # fmt: skip
    return json.dumps({**tree, **fields}) + "\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path / "automation")
    made.games_dir.mkdir(parents=True)
    made.triggers_dir.mkdir(parents=True)
    return made


@pytest.fixture
def context_with(settings: Settings, tmp_path: Path) -> Callable[..., ConditionContext]:
    def make(
        view: PlainView | None = None, cursor: str = "", now: datetime = NOW, **parameters: Any
    ) -> ConditionContext:
        return ConditionContext(
            trigger_name="a_trigger",
            now=now,
            parameters=parameters,
            cursor=cursor,
            settings=settings,
            working_dir=tmp_path,
            view=view or PlainView(),
        )

    return make


@pytest.fixture
def store(empty_database: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "automation_tracking.db"
    shutil.copyfile(empty_database, path)
    opened = Store(f"sqlite:///{path}", busy_timeout_s=30)
    yield opened
    opened.close()


@pytest.fixture
def view() -> type[PlainView]:
    return PlainView


@pytest.fixture
def run() -> Callable[..., FinishedRun]:
    return a_run


@pytest.fixture
def machine() -> Callable[..., ResourceSnapshot]:
    return a_machine


@pytest.fixture
def game() -> Callable[..., str]:
    return a_game


@pytest.fixture
def now() -> datetime:
    return NOW
