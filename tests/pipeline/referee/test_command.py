"""`ouroboros play` from the outside: as a process with real snakes, and as a click command."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
from click.testing import CliRunner
from scripted_snake import Hang, http, move, safe_move

from pipeline.referee.command import play
from pipeline.referee.exhibition import win_rate_text
from pipeline.referee.result import ContestantTally
from schemas.errors import BadInputError, EvaluationError, SnakeError

GO_SNAKE = Path(__file__).parents[3] / "deploy" / "go-snake"


def run(*arguments):
    return CliRunner(env={"COLUMNS": "160"}).invoke(play, [str(argument) for argument in arguments])


@pytest.fixture
def urls(scripted):
    return [scripted(lambda r: [move(safe_move(r.body))]).url for _ in range(2)]


def test_a_table_of_what_came_of_it(urls, tmp_path):
    result = run(
        "--url", urls[0], "--url", urls[1], "--games", 7, "--seed", 3, "--timeout-ms", 60000, "--replay-dir", tmp_path
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "8 games, seed 3" in result.output, "rounded up to whole pairs"
    assert "8 of 8 games" in result.output
    for url in urls:
        row = next(line for line in result.output.splitlines() if url in line and "│" in line)
        won, drawn, lost, limit = map(int, re.findall(r"│ +(\d+) (?=│)", row))
        assert won + drawn + lost + limit == 8
        assert re.search(rf"{won / 8:.1%} \[\d+\.\d%, \d+\.\d%\]", row)
        assert f"{url} failed to answer: never" in result.output
    assert len(list(tmp_path.iterdir())) == 8


def test_a_pool_where_there_are_cores_for_it(urls, monkeypatch):
    monkeypatch.setattr("pipeline.referee.exhibition.workers_worth_having", lambda: 2)
    arguments = "--url", urls[0], "--url", urls[1], "--games", 4, "--seed", 3, "--timeout-ms", 60000, "--max-turns", 9
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "4 of 4 games" in result.output


def test_failures_are_shown_and_refuse_the_score(scripted, urls):
    bad = scripted(lambda _: [http("?")])
    result = run("--url", bad.url, "--url", urls[0], "--games", 4, "--timeout-ms", 60000)
    assert re.search(rf"{bad.url} failed to answer: \d+ bad_json", result.output)
    assert isinstance(result.exception, EvaluationError)
    borne = run("--url", bad.url, "--url", urls[0], "--games", 4, "--timeout-ms", 60000, "--failure-limit", 1)
    assert borne.exit_code == 0, borne.output
    assert "failure: 4 of 4" in borne.output


def test_bad_input():
    assert isinstance(run().exception, BadInputError)
    assert isinstance(run("--url", "nowhere").exception, SnakeError)
    assert run("--snake-dir", "/no/such/folder").exit_code == 2


def test_a_folder_that_does_not_build(tmp_path):
    before = set(psutil.Process().children())
    (tmp_path / "go.mod").write_text("module broken\n\ngo 1.18\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    result = run("--snake-dir", tmp_path)
    assert isinstance(result.exception, SnakeError)
    assert "undefined: nonsense" in str(result.exception)
    assert set(psutil.Process().children()) == before


def test_two_go_snakes_through_the_console_script(tmp_path, monkeypatch):
    monkeypatch.setenv("OUROBOROS_GAMES_DIR", str(tmp_path / "production"))
    arguments = ["--snake-dir", str(GO_SNAKE), "--snake-dir", str(GO_SNAKE), "--games", "2", "--max-turns", "40"]
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 games" in done.stdout
    assert "Games with a time-out or another failure: 0 of 2." in done.stdout
    assert not (tmp_path / "production").exists(), "these are no production games"


def command(*arguments):
    return [sys.executable, "-c", "from runner.cli import main; main()", "play", *arguments]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_shows_what_was_played_and_leaves_no_snake_behind(scripted, number):
    hanging = scripted(lambda _: [Hang])
    arguments = ["--url", hanging.url, "--snake-dir", str(GO_SNAKE), "--timeout-ms", "3600000"]
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = monotonic() + 200
    while not hanging.bodies():
        assert process.poll() is None and monotonic() < deadline
        sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2, "a tether and its snake"
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 130, output
    assert "0 of 100 games" in output
    gone, alive = psutil.wait_procs(children, timeout=100)
    assert not alive
    assert len(gone) == len(children)


def test_the_wilson_interval():
    tally = ContestantTally("a", 10, 7, 0, 3, 0, 0.7, {}, {}, 0, 0, 1.0, 2.0)
    # Wilson (1927) for 7 of 10: (7 + z²/2 ± z sqrt(7*3/10 + z²/4)) / (10 + z²) with z = 1.959964.
    assert win_rate_text(tally) == "70.0% [39.7%, 89.2%]"
