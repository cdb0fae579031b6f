"""The operations guide's snippets on the runner, with only their imports and paths changed."""

import gc
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from runner import (
    AutomatedTrainingRunner,
    TrainingConfiguration,
    TrainingSchedule,
    TriggerCondition,
    TriggerType,
    create_default_schedules,
)
from runner.store.engine import Store


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUROBOROS_HOME", "automation")


@pytest.fixture
def runner():
    made = AutomatedTrainingRunner()
    yield made
    made.stop_automation()


def wait_for(condition) -> None:
    import threading
    import time

    end = time.monotonic() + 60
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.02)


@pytest.fixture
def full_config():
    return TrainingConfiguration(
        target_phases=["bootstrap", "hybrid", "self_play", "continuous"],
        continuous_learning_enabled=True,
        max_training_time_hours=12,
        force_retrain=False,
        enable_monitoring=True,
        save_checkpoints=True,
        export_onnx=True,
    )


@pytest.fixture
def daily_schedule(full_config):
    return TrainingSchedule(
        name="daily_full_training",
        cron_expression="0 2 * * *",  # 2 AM every day
        training_config=full_config,
        max_duration_hours=8,
        min_data_threshold=1000,  # Require 1000+ new games
        notification_emails=["admin@battlesnake.com"],
    )


@pytest.fixture
def data_trigger():
    return TriggerCondition(
        name="high_data_availability",
        trigger_type=TriggerType.DATA_DRIVEN,
        condition_function="check_new_data_threshold",
        parameters={"min_games": 5000},
        cooldown_hours=12,
    )


def test_basic_setup(runner):
    for schedule in create_default_schedules():
        runner.add_schedule(schedule)
    runner.start_automation()
    status = runner.get_runner_status()
    assert status["running"] is True
    assert [item["name"] for item in status["schedules"]] == [
        "continuous_learning",
        "daily_full_training",
        "weekly_comprehensive_training",
    ]


def test_automated_training(runner, daily_schedule, data_trigger):
    weekly_schedule = create_default_schedules()[1]
    runner.add_schedule(daily_schedule)
    runner.add_schedule(weekly_schedule)
    runner.add_trigger(data_trigger)
    runner.start_automation()

    status = runner.get_runner_status()
    assert f"Runner Status: {status['status']}" == "Runner Status: monitoring"
    assert f"Active Schedules: {len(status['schedules'])}" == "Active Schedules: 2"
    assert f"Recent Executions: {len(status['recent_executions'])}" == "Recent Executions: 0"
    assert set(status) == {
        "status", "running", "paused", "schedules", "triggers", "recent_executions", "current_execution", "queued",
        "statistics", "silence", "undelivered", "arena", "host", "stand_by",
    }  # fmt: skip
    assert set(status["statistics"]) == {
        "total_executions", "successful_executions", "failure_rate", "last_execution", "average_execution_time_hours",
    }  # fmt: skip


def test_control_commands(runner):
    runner.start_automation()
    runner.pause_automation()
    assert runner.get_runner_status()["paused"]
    runner.resume_automation()
    assert not runner.get_runner_status()["paused"]
    runner.stop_automation()
    assert not runner.get_runner_status()["running"]


def test_touching_the_trigger_file_triggers_training_on_the_next_check(runner):
    runner.start_automation()
    runner.pause_automation("the run itself is not what is tested")
    trigger_file = Path("trigger_training.txt")
    trigger_file.touch()  # Will trigger training on next check
    wait_for(lambda: runner.get_runner_status()["queued"])
    (waiting,) = runner.get_runner_status()["queued"]
    assert waiting["schedule_name"] == "manual_trigger_file"
    assert not trigger_file.exists()


SCRIPT = """
from runner import AutomatedTrainingRunner
runner = AutomatedTrainingRunner()
runner.start_automation()
print("started", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_guides_script_in_good_order(number):
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as script:
        assert script.stdout.readline() == b"started\n"
        script.send_signal(number)
        _, errors = script.communicate(timeout=60)
    assert b"Exception ignored" not in errors
    with sqlite3.connect("automation/automation_tracking.db") as conn:
        assert conn.execute("SELECT stopped_cleanly FROM daemon").fetchone() == (1,)
    conn.close()


def test_restart_automation_and_its_checks(runner, daily_schedule):
    runner.add_schedule(daily_schedule)
    runner.start_automation()
    runner.stop_automation()
    runner.start_automation()
    status = runner.get_runner_status()
    assert (status["running"], status["paused"]) == (True, False)

    import croniter

    cron = croniter.croniter("0 2 * * *")
    assert isinstance(cron.get_next(datetime), datetime)


def test_custom_notifications_and_a_forced_execution(runner, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "process"))
    heard = []

    class SlackNotificationSystem:
        def send_training_completion_notification(self, result):
            heard.append(result)

    runner.notification_system = SlackNotificationSystem()
    runner.enable_debug_logging()
    debug_schedule = TrainingSchedule(
        name="whatever",
        cron_expression="0 2 * * *",
        worker="daemon_jobs:ledger",
        resource_requirements={"min_free_memory_gb": 0, "min_free_disk_gb": 0, "max_cpu_usage_percent": 100},
    )
    runner.start_automation()
    runner._execute_scheduled_training("debug_training", debug_schedule)
    wait_for(lambda: heard)
    assert (heard[0].schedule_name, heard[0].success) == ("debug_training", True)
    wait_for(lambda: runner.get_runner_status()["current_execution"] is None)
    (execution,) = runner.get_runner_status()["recent_executions"]
    assert execution["schedule_name"] == "debug_training"
    with sqlite3.connect("automation/automation_tracking.db") as conn:
        cursor = conn.execute("""
            SELECT schedule_name, started_at, completed_at, success,
                   json_extract(pipeline_state_json, '$.best_win_rate') as win_rate
            FROM executions
            ORDER BY started_at DESC
            LIMIT 10
        """)
        told = [f"Schedule: {row[0]}, Success: {row[3]}, Win Rate: {row[4]:.3f}" for row in cursor.fetchall()]
    conn.close()
    assert told == ["Schedule: debug_training, Success: 1, Win Rate: 0.550"]
    assert list(Path("automation/logs").glob("runner_*.log"))


def test_a_second_daemon_on_one_folder_is_told_who_has_it(runner):
    from schemas.errors import StateError

    runner.start_automation()
    second = AutomatedTrainingRunner()
    with pytest.raises(StateError, match="another daemon already serves this state folder: process"):
        second.start_automation()


def test_a_runner_that_nobody_holds_has_closed_its_database(daily_schedule, monkeypatch):
    closed = []

    class SeenStore(Store):
        def close(self) -> None:
            closed.append(self.path)
            super().close()

    monkeypatch.setattr("runner.automation.Store", SeenStore)
    made = AutomatedTrainingRunner()
    made.add_schedule(daily_schedule)
    path = made.settings.home / "automation_tracking.db"
    del made
    gc.collect()
    assert [found.resolve() for found in closed] == [path.resolve()]
