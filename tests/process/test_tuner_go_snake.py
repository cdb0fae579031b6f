"""The real Go snake, the real referee, the real command: a few games end to end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from go_programs import think_briefly
from living_processes import lives

from runner import cli

REPOSITORY = Path(__file__).parents[2]
OUROBOROS = Path(sys.executable).with_name("ouroboros")
FEW = [
    *("--games", "2", "--baseline-games", "2", "--max-games", "4", "--timeout-ms", "5000", "--seed", "7"),
    *("--checkpoint-interval", "5", "--min-improvement", "0.002", "--search", "random", "--measure-games", "2"),
]


@pytest.fixture(scope="module")
def go_snake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundled snake that thinks briefly."""
    folder = tmp_path_factory.mktemp("go") / "snake"
    shutil.copytree(REPOSITORY / "deploy" / "go-snake", folder)
    think_briefly(folder / "config.yaml")
    return folder


def small_games(folder: Path) -> dict[str, str]:
    """An environment whose settings make games short."""
    home = folder / "automation"
    home.mkdir(exist_ok=True)
    tuner = {"width": 7, "height": 7, "max_turns": 30, "screen": False}
    (home / "settings.json").write_text(json.dumps({"tuner": tuner}))
    return {**os.environ, "OUROBOROS_HOME": str(home)}


def wait_until(condition: Callable[[], bool], what: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.communicate()}"
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_the_command_tunes_a_go_snake_with_a_rebuild_per_candidate(go_snake: Path, tmp_path: Path) -> None:
    snake = Path(shutil.copytree(go_snake, tmp_path / "snake"))
    before = (snake / "config.yaml").read_text()
    command = [str(OUROBOROS), "tune", *FEW, "--max-iterations", "2", "--snake-dir", str(snake)]
    ran = subprocess.run(command, env=small_games(tmp_path), capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    state = tmp_path / "automation" / "nn_training_results"
    lines = [json.loads(line) for line in (state / "training_log.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [1, 2]
    assert all(2 <= line["games"] <= 16 for line in lines)
    assert all(line["failed_games"] == 0 for line in lines)
    assert json.loads((state / "checkpoint.json").read_text())["iteration"] == 2
    accepted = any(line["improved"] for line in lines)
    assert ((snake / "config.yaml").read_text() != before) == accepted
    assert sorted(path.name for path in snake.iterdir()) == sorted(path.name for path in go_snake.iterdir())
    assert not list(state.glob("scratch_*"))


def test_sigterm_saves_and_a_second_start_resumes_the_bundled_snake(tmp_path: Path) -> None:
    environment = small_games(tmp_path)
    command = [str(OUROBOROS), "tune", *FEW]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=environment, **pipes)  # type: ignore[call-overload]
    state = tmp_path / "automation" / "nn_training_results"
    log = state / "training_log.jsonl"
    wait_until(lambda: log.exists() and log.read_text().count("\n") >= 1, "a first iteration", process)
    snakes = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "This run: " in out
    assert snakes
    assert not any(lives(snake.pid) for snake in snakes)
    done = json.loads((state / "checkpoint.json").read_text())["iteration"]
    assert done == log.read_text().count("\n")
    more = [*command, "--max-iterations", str(done + 1)]
    ran = subprocess.run(more, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"✓ Resumed from checkpoint: iteration {done}, best win rate" in ran.stdout
    copy = tmp_path / "automation" / "go-snake"
    assert (copy / "weight_spec.yaml").exists()
    bundled = (REPOSITORY / "deploy" / "go-snake" / "config.yaml").read_text()
    assert len((copy / "config.yaml").read_text().splitlines()) == len(bundled.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--snake-dir", "nowhere"], "no snake folder"),
        (["--games", "0"], "games"),
        (["--accept", "maybe"], "maybe"),
        (["--config-file", "other.yaml"], "no weights file"),
        (["--weight-spec", "gone.yaml"], "weight specification cannot be read"),
        (["--opponent", "nowhere"], "no snake folder"),
        (["--opponent", "http://127.0.0.1:9"], "does not answer"),
        (["--build-command", "go vet -nope {output}"], "does not build"),
        (["--backend", "http", "--run-command", "{binary} -nope"], "exit code 2"),
    ],
)
def test_bad_input_ends_with_code_2_and_names_the_place(
    go_snake: Path,
    tmp_path: Path,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The command line as `ouroboros` runs it, in this process: a start of its own would cost each a second."""
    monkeypatch.setenv("OUROBOROS_HOME", small_games(tmp_path)["OUROBOROS_HOME"])
    monkeypatch.chdir(tmp_path)
    code = cli.run(["tune", "--snake-dir", str(go_snake), *FEW, "--max-iterations", "1", *arguments])
    told = capfd.readouterr()
    assert code == 2, told
    assert words in told.err


def test_a_go_snake_that_does_not_compile_is_shown_in_the_compilers_words(go_snake: Path, tmp_path: Path) -> None:
    snake = Path(shutil.copytree(go_snake, tmp_path / "snake"))
    (snake / "main.go").write_text("package main\n\nfunc main() { undefinedThing() }\n")
    command = [str(OUROBOROS), "tune", "--snake-dir", str(snake), *FEW]
    ran = subprocess.run(command, env=small_games(tmp_path), capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 2
    assert "main.go:3:15: undefined: undefinedThing" in ran.stderr


def test_weights_meet_in_a_tournament_inside_the_snakes_own_process(go_snake: Path, tmp_path: Path) -> None:
    quick = re.sub(r"(duel_budget|time_share): \S+", r"\1: 0", (go_snake / "config.yaml").read_text())
    quick = quick.replace("duel_budget: 0", "duel_budget: 20").replace("time_share: 0", "time_share: 0.0")
    (tmp_path / "one.yaml").write_text(quick)
    (tmp_path / "other.yaml").write_text(re.sub(r"area_duel: \S+", "area_duel: 1.0", quick))
    command = [str(OUROBOROS), "tournament", "one.yaml", "other.yaml", "--games", "4"]
    ran = subprocess.run(
        command, env=small_games(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Games are played inside the snake's own process" in ran.stdout
    assert "Round 1 is over: 4 games, pairings: 1." in ran.stdout
    assert not list((tmp_path / "automation" / "tournaments").glob("scratch_*"))
