"""A duration that no calendar can add to a date is refused where it is given, not weeks later in the daemon."""

import pytest
from pydantic import ValidationError

from schemas.automation import MAX_HOURS, TrainingSchedule, TriggerCondition
from schemas.training import TrainingConfiguration

OF_A_SCHEDULE = [
    "max_duration_hours",
    "catch_up_window_hours",
    "start_deadline_hours",
    "retry_backoff_s",
    "retry_backoff_max_s",
]


@pytest.mark.parametrize("field", OF_A_SCHEDULE)
@pytest.mark.parametrize("value", [1e12, float("inf"), float("nan")])
def test_a_schedules_durations_are_bounded(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=field):
        TrainingSchedule.model_validate({"name": "a", "cron_expression": "@daily", field: value})


@pytest.mark.parametrize("field", ["cooldown_hours", "check_interval_s", "time_limit_s"])
def test_a_triggers_durations_are_bounded(field: str) -> None:
    given = {"name": "a", "trigger_type": "manual", "condition_function": "f", field: 1e12}
    with pytest.raises(ValidationError, match=field):
        TriggerCondition.model_validate(given)


def test_ten_years_of_training_are_enough() -> None:
    TrainingConfiguration(max_training_time_hours=MAX_HOURS)
    with pytest.raises(ValidationError, match="max_training_time_hours"):
        TrainingConfiguration(max_training_time_hours=MAX_HOURS + 1)
