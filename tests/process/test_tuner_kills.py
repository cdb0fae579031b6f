"""kill -9 at the awkward points, then again and again: the weights file is whole, and nothing is lost or doubled."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

VICTIM = Path(__file__).with_name("tuner_victim.py")
ITERATIONS = 4
CONFIG = "body:\n  strength: 0.0  # [-2, 2] points\nother: 3\n"
POINTS = ["game", "intent_saved", "weights_replaced", "line_appended", "checkpoint_saved"]


def run(folder: Path, point: str, visit: int, largest_file: int | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(VICTIM), str(folder / "home"), str(folder / "snake"), point, str(visit)]

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.run(
        [*command, str(ITERATIONS)], capture_output=True, text=True, timeout=120, check=False, preexec_fn=limit
    )


def prepare(folder: Path) -> Path:
    (folder / "snake").mkdir()
    config = folder / "snake" / "config.yaml"
    config.write_text(CONFIG)
    return config


def log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "home" / "nn_training_results" / "training_log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def check_finished(folder: Path, config: Path) -> None:
    """Each iteration stands in the log once, and the weights file is exactly the sum of the accepted ones."""
    lines = log(folder)
    assert [line["iteration"] for line in lines] == list(range(1, ITERATIONS + 1))
    accepted = [line for line in lines if line["improved"]]
    assert [line["iteration"] for line in accepted] == [1, 3]
    assert config.read_text() == CONFIG.replace("strength: 0.0", "strength: 0.6")
    checkpoint = json.loads((folder / "home" / "nn_training_results" / "checkpoint.json").read_text())
    assert checkpoint["iteration"] == ITERATIONS
    assert checkpoint["accepted"] == len(accepted)
    assert checkpoint["best_config"] == config.read_text()
    assert checkpoint["pending"] is None
    assert not list(folder.glob("snake/.*.tmp"))


@pytest.mark.parametrize(("point", "visit"), [*((point, 1) for point in POINTS), ("weights_replaced", 2)])
def test_a_kill_at_a_named_point_loses_nothing_but_the_iteration_in_hand(
    tmp_path: Path, point: str, visit: int
) -> None:
    config = prepare(tmp_path)
    killed = run(tmp_path, point, visit * (60 if point == "game" else 1))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = log(tmp_path)
    strength = float(config.read_text().split("strength: ")[1].split()[0])
    assert config.read_text() == CONFIG.replace("0.0", str(strength))
    assert strength in (0.0, 0.3, 0.6)
    ended = run(tmp_path, "never", 1)
    assert ended.returncode == 0, ended.stderr
    assert log(tmp_path)[: len(before)] == before
    check_finished(tmp_path, config)


def test_kill_after_kill_after_kill(tmp_path: Path) -> None:
    """Every run is killed a little later than the one before; in the end all is as if nothing had happened."""
    config = prepare(tmp_path)
    for point in [*POINTS, *reversed(POINTS)]:
        run(tmp_path, point, 70 if point == "game" else 1)
    assert run(tmp_path, "never", 1).returncode == 0
    check_finished(tmp_path, config)


def test_seeds_of_a_dropped_iteration_are_not_used_again(tmp_path: Path) -> None:
    prepare(tmp_path)
    run(tmp_path, "game", 60)
    run(tmp_path, "never", 1)
    uses = [(line["seeds"]["epoch"], line["seeds"]["serial"]) for line in log(tmp_path)]
    assert all(epoch == 2 for epoch, _ in uses)
    assert len(set(uses)) == len(uses)


@pytest.mark.parametrize("largest_file", [1000, 2500, 3200])
def test_files_that_cannot_grow_end_the_run_with_an_error_and_nothing_is_lost(
    tmp_path: Path, largest_file: int
) -> None:
    """A limit on file sizes stands in for a full disk: writes fail half-way, wherever they happen to."""
    config = prepare(tmp_path)
    stopped = run(tmp_path, "never", 1, largest_file)
    assert stopped.returncode == 1
    assert "schemas.errors.MachineError: " in stopped.stderr
    assert "Free some space" in stopped.stderr
    ended = run(tmp_path, "never", 1)
    assert ended.returncode == 0, ended.stderr
    check_finished(tmp_path, config)
