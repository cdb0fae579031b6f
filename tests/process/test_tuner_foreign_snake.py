"""A Go snake that knows nothing of Ouroboros is tuned as it stands, and its keys that nobody reads are named."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from foreign_snake import BUILD_COMMAND, DEAD_KEYS, READ_KEYS, SETTINGS, foreign_snake

OUROBOROS = Path(sys.executable).with_name("ouroboros")
FEW = ["--games", "4", "--max-games", "8", "--baseline-games", "4", "--measure-games", "4", "--seed", "7"]


def test_it_is_tuned_without_a_change_of_its_code_and_its_dead_keys_are_named(tmp_path: Path) -> None:
    snake = foreign_snake(tmp_path / "hydra", arena=True)
    code = {path: path.read_bytes() for path in snake.rglob("*") if path.is_file() and path.name != Path(SETTINGS).name}
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"tuner": {"timeout_ms": 5000}}))
    command = [str(OUROBOROS), "tune", "--snake-dir", str(snake), "--build-command", BUILD_COMMAND]
    command += ["--config-file", SETTINGS, "--search", "random", "--max-iterations", "1", *FEW]
    environment = {**os.environ, "OUROBOROS_HOME": str(home)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "inside the snake's own process" in ran.stdout
    found = re.search(r"(\d+) of (\d+) weights changed no move in 2 games each: .*: (.*)\.", ran.stdout)
    assert found is not None, ran.stdout
    named = found[3].split(", ")
    assert int(found[2]) == DEAD_KEYS + READ_KEYS
    assert sum(not name.startswith("strategy.") for name in named) == DEAD_KEYS
    # Weights for what hardly ever comes up may be among them.
    assert int(found[1]) <= DEAD_KEYS + 4
    (line,) = [
        json.loads(text) for text in (home / "nn_training_results" / "training_log.jsonl").read_text().splitlines()
    ]
    assert line["changed"]
    assert all(path.startswith("strategy.") for path in line["changed"])
    assert code == {path: path.read_bytes() for path in code}
