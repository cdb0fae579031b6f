"""The official command referees a game of the served model against itself: two snakes of one process."""

import subprocess
import sys

import pytest
from go_programs import build_official_cli
from replays import read_replay

from pipeline.referee import SnakeCommand, SnakeProcess


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    return build_official_cli(tmp_path_factory.mktemp("official"))


def test_a_game_by_the_official_command(official, model_file, tmp_path):
    argv = (sys.executable, "-m", "pipeline.serve", str(model_file), "--host", "127.0.0.1", "--games-dir", "")
    with SnakeProcess("served", SnakeCommand(argv), tmp_path / "log", start_deadline_s=240) as process:
        names = [part for name in ("one", "two") for part in ("-u", process.url, "-n", name)]
        output = tmp_path / "game.jsonl"
        run = subprocess.run(
            [official, "play", *names, "-W", "11", "-H", "11", "-t", "20000", "-r", "7", "-o", output],
            capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
    frames = read_replay(output).frames
    assert len(frames) > 3
    first = {s["id"]: s["body"][0] for s in frames[0]["board"]["snakes"]}
    second = {s["id"]: s["body"][0] for s in frames[1]["board"]["snakes"]}
    assert len(second) == 2
    for name, head in first.items():
        # It goes right wherever it can, and at the start it always can but at the right-hand side.
        assert second[name]["x"] - head["x"] == 1 or head["x"] == 10
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_production_needs_no_torch():
    code = "import sys, pipeline.serve.server, pipeline.serve.shadow_report; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
