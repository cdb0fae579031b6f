"""The daemon's way to the self-play pipeline, with the real pipeline in a real worker process."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import daemon_world
import pytest
from daemon_world import World
from sqlalchemy import text
from tiny_pipeline import settings_for

from runner.flow.command_arguments import CancelArguments, Verb
from runner.store import commands
from schemas.automation import AUTO_WORKER
from schemas.files import write_atomic
from schemas.machine import GpuFinding, GpuState
from schemas.settings import Settings
from schemas.training import Device, TrainingConfiguration

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""The real hour: the worker compares its deadline with the real clock."""
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.timeout(1500)
GPU = GpuState(finding=GpuFinding.USABLE, detail="a test's GPU", free_memory_gb=80, total_memory_gb=80)


@pytest.fixture(autouse=True)
def patient_and_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_world, "DEADLINE_S", 600)  # torch alone takes seconds to be imported
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def settings(home: Path, **bootstrap: int) -> Settings:
    tiny = settings_for(home)
    names = ("neural_network", "self_play", "tournament", "training_optimization", "data")
    phases = tiny.training_phases
    phases["bootstrap"] = phases["bootstrap"].model_copy(update=bootstrap)
    return daemon_world.settings_for(home).model_copy(
        update={"training_phases": phases} | {name: getattr(tiny, name) for name in names}
    )


def save(world: World, device: Device) -> None:
    asked = TrainingConfiguration(
        target_phases=["bootstrap"], device=device, export_onnx=False, max_training_time_hours=0.5
    )
    world.save(daemon_world.schedule("nightly", "0 * * * *", worker=AUTO_WORKER, training_config=asked))
    world.start()
    world.clock.advance(HOUR)


def executions(world: World) -> list[dict[str, Any]]:
    with world.store.read() as session:
        return [dict(row) for row in session.execute(text("SELECT * FROM executions ORDER BY id")).mappings()]


def ended(world: World, count: int) -> bool:
    rows = executions(world)
    return len(rows) == count and all(row["completed_at"] for row in rows)


def run_record(world: World) -> dict[str, Any]:
    return json.loads((world.home / "self_play" / "run.json").read_text())


def test_a_usable_gpu_makes_auto_the_pipeline_and_its_numbers_are_real(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with World(home, START, gpu=GPU, settings=settings(home)) as world:
        save(world, Device.AUTO)
        world.turn_until(lambda: ended(world, 1), "the end of the run")
        (row,) = executions(world)
        assert (row["worker"], row["success"], row["status"]) == ("pipeline", 1, "succeeded"), row
        assert "A GPU can be used: a test's GPU." in row["worker_reason"]
        state = json.loads(row["pipeline_state_json"])
        assert (state["best_win_rate_games"], state["total_games_processed"]) == (8, 10)
        assert 0 <= state["best_win_rate_low"] <= state["best_win_rate"] <= state["best_win_rate_high"] <= 1
        assert state["phases_completed"] == ["bootstrap"]
        usage = json.loads(row["resource_usage_json"])
        assert usage["samples"] >= 1
        assert usage["peak_memory_mb"] > 100
        assert usage["cpu_time_s"] > 0.5
        assert run_record(world)["finished"]


def test_a_schedule_that_names_the_cpu_needs_no_gpu_and_a_stop_is_gone_on_from(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with World(home, START, settings=settings(home, max_epochs=40, early_stopping_patience=40)) as world:
        save(world, Device.CPU)

        def trains() -> bool:
            file = home / "self_play" / "state.json"
            return file.exists() and json.loads(file.read_text())["current_phase"] == "bootstrap"

        world.turn_until(trains, "a phase under way")
        with world.store.write() as session:
            arguments = CancelArguments(schedule_name="nightly")
            commands.enqueue(session, Verb.CANCEL.value, arguments, "a test", world.clock.now())
        world.turn_until(lambda: ended(world, 1), "the end of the stopped run")
        (row,) = executions(world)
        assert (row["worker"], row["status"]) == ("pipeline", "cancelled"), row
        assert "asks for the device cpu" in row["worker_reason"]
        stopped = run_record(world)
        assert not stopped["finished"]
        world.clock.advance(HOUR)
        world.turn_until(lambda: ended(world, 2), "the end of the next run")
        assert executions(world)[1]["status"] == "succeeded", executions(world)[1]
        record = run_record(world)
        assert record["finished"]
        assert (record["run_id"], record["seed"]) == (stopped["run_id"], stopped["seed"])
        assert record["spent_s"] > stopped["spent_s"]
        assert record["games"] == 10


def test_without_torch_the_run_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    write_atomic(blocked / "torch.py", "raise ImportError(\"No module named 'torch'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(blocked))
    home = tmp_path / "home"
    with World(home, START, settings=settings(home)) as world:
        save(world, Device.CPU)
        world.turn_until(lambda: ended(world, 1), "the end of the run")
        (row,) = executions(world)
        assert (row["status"], row["success"]) == ("failed", 0)
        assert row["failure_class"] == "bad_input"
        assert "pip install 'ouroboros[train]'" in row["error_message"]
