import importlib.metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from runner.triggers import conditions
from runner.triggers.conditions import BUILT_INS, check_condition, dotted_name
from schemas.automation import TriggerCondition, TriggerType, create_default_triggers
from schemas.errors import ScheduleError


def a_trigger(function: str, **parameters: Any) -> TriggerCondition:
    return TriggerCondition(
        name="mine", trigger_type=TriggerType.MANUAL, condition_function=function, parameters=parameters
    )


def test_the_default_triggers_are_accepted() -> None:
    for trigger in create_default_triggers():
        check_condition(trigger)


@pytest.mark.parametrize(
    ("function", "parameters", "says"),
    [
        ("check_new_data_threshold", {"min_gamez": 5}, "min_gamez.*takes min_games"),
        ("check_new_data_threshold", {"min_games": 0}, "min_games"),
        ("check_performance_degradation", {"alpha": 0.7}, "alpha"),
        ("check_performance_degradation", {"registered_win_rate": 1.0}, "registered_win_rate"),
        ("check_schedule_ended", {}, "schedule"),
        ("check_schedule_ended", {"schedule": "a", "outcome": "won"}, "outcome"),
        ("check_resource_availability", {"max_cpu_usage_percent": 120}, "max_cpu_usage_percent"),
        ("check_schedule_overdue", {"overdue_minutes": -1}, "overdue_minutes"),
        ("check_manual_trigger_file", {"file": "x"}, "takes trigger_file"),
    ],
)
def test_parameters_are_checked_when_a_trigger_is_added(function: str, parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says) as caught:
        check_condition(a_trigger(function, **parameters))
    assert "trigger mine" in str(caught.value)


@pytest.mark.parametrize("name", ["nope", "os.path.exists", "", "a b:c", "x:y.z"])
def test_a_name_that_is_no_condition_is_refused(name: str) -> None:
    with pytest.raises(ScheduleError, match="Built in are check_new_data_threshold"):
        check_condition(a_trigger(name))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("no_such_module_here:check", "ModuleNotFoundError"),
        ("json:no_such_function", "has no attribute 'no_such_function'"),
        ("json:decoder", "is no function"),
    ],
)
def test_a_condition_of_ones_own_must_be_importable(function: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        check_condition(a_trigger(function))


def test_a_condition_of_ones_own_may_lie_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_conditions.py").write_text("def check(context):\n    return True\n")
    monkeypatch.chdir(tmp_path)
    check_condition(a_trigger("my_conditions:check"))


def test_entry_points_are_known_by_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("full_moon", "astronomy.moon:is_full", conditions.ENTRY_POINT_GROUP)
    real = importlib.metadata.entry_points

    def with_ours(**wanted: str) -> Any:
        asked = {"group": conditions.ENTRY_POINT_GROUP, "name": "full_moon"}
        return [point] if wanted == asked else real(**wanted)

    monkeypatch.setattr(conditions, "entry_points", with_ours)
    assert dotted_name("full_moon") == "astronomy.moon:is_full"
    with pytest.raises(LookupError, match="new_moon"):
        dotted_name("new_moon")


def test_every_built_in_explains_itself() -> None:
    assert all(known.function.__doc__ for known in BUILT_INS.values())
    assert all(name == known.function.__name__ for name, known in BUILT_INS.items())
