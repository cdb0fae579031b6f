"""Runs that ended, and a real mail server to tell of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.automation import TrainingSchedule, TriggerType
from schemas.execution import ExecutionResult, FailureClass, Outcome, ResourceUsage, RunFailure
from schemas.message import WinRatePoint
from schemas.model import PipelineState
from schemas.notification import NotificationSettings

NOW = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


@pytest.fixture
def schedule() -> TrainingSchedule:
    return TrainingSchedule(name="daily", cron_expression="0 2 * * *", notification_emails=["snake@example.com"])


@pytest.fixture
def settings() -> NotificationSettings:
    return NotificationSettings(emails=["boss@example.com", "snake@example.com"])


@pytest.fixture
def win_rates() -> list[WinRatePoint]:
    return [
        WinRatePoint(completed_at=NOW - timedelta(days=2), win_rate=0.50, low=0.45, high=0.55, games=400),
        WinRatePoint(completed_at=NOW, win_rate=0.561, low=0.53, high=0.591, games=1000),
    ]


@pytest.fixture
def result() -> Callable[..., ExecutionResult]:
    def build(**changes: Any) -> ExecutionResult:
        values: dict[str, Any] = {
            "execution_id": 7,
            "schedule_name": "daily",
            "trigger_type": TriggerType.SCHEDULED,
            "scheduled_for": NOW - timedelta(hours=2, minutes=30),
            "started_at": NOW - timedelta(hours=2, minutes=29),
            "completed_at": NOW,
            "attempt": 1,
            "worker": "tuner",
            "outcome": Outcome.SUCCEEDED,
            "success": True,
            "state": PipelineState(
                best_win_rate=0.561,
                best_win_rate_low=0.53,
                best_win_rate_high=0.591,
                best_win_rate_games=1000,
                total_games_processed=12345,
                best_model_version="iteration 42",
            ),
            "usage": ResourceUsage(
                samples=10, peak_memory_mb=812.4, mean_cpu_percent=187, cpu_time_s=16000, peak_processes=9
            ),
            "run_dir": Path("automation/runs/7"),
        }
        return ExecutionResult(**{**values, **changes})

    return build


@pytest.fixture
def failed(result: Callable[..., ExecutionResult]) -> ExecutionResult:
    return result(
        outcome=Outcome.FAILED,
        success=False,
        state=PipelineState(),
        usage=ResourceUsage(),
        failure=RunFailure(
            failure_class=FailureClass.ERROR,
            message="the snake <b>does not build</b> (main.go, line 3). Mend it and try again.",
        ),
        will_retry_at=NOW + timedelta(minutes=5),
        log_tail=[f"line {number} & more" for number in range(60)],
    )
