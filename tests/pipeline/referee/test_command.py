"""`ouroboros play` from the outside: as a process with real snakes, and as a click command."""

import io
import json
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
from rich.console import Console
from rich.progress import Task, TaskID
from scripted_snake import Hang, http, move, safe_move

from pipeline.referee.command import play
from pipeline.referee.outcome import Ending, Failure, GameOutcome, PairOutcome, SnakeOutcome
from pipeline.referee.play_command import GamesColumn, names_of, show_page
from pipeline.referee.play_report import game_score, paired_score, win_rate_text
from pipeline.referee.result import ContestantTally
from pipeline.referee.schedule import ScheduledGame
from pipeline.tuner.contest import _fair
from pipeline.tuner.jobs import GameResult
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
        won, drawn, lost, limit, failed = map(int, re.findall(r"│ +(\d+) (?=│)", row))
        assert failed == 0
        assert won + drawn + lost + limit == 8
        assert re.search(rf"{won / 8:.1%} \[\d+\.\d%, \d+\.\d%\]", row)
        assert f"{url} failed to answer: never" in result.output
    assert len(list(tmp_path.iterdir())) == 8


def test_a_pool_where_there_are_cores_for_it(urls, monkeypatch):
    monkeypatch.setattr("pipeline.referee.play_command.workers_worth_having", lambda: 2)
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


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--build-command", "make"], "no folder"),
        (["--run-command", "make"], "no folder"),
        (["--name", " "], "a name is empty"),
        (["--width", 2], "Use 3 to 25"),
        (["--ruleset", "chess"], "unknown ruleset"),
        (["--map", "moon"], "not played here"),
        (["--shrink-every", 0, "--ruleset", "royale"], "shrink"),
        (["--map", "arcade_maze"], "19x21"),
        (["--url", "http://127.0.0.1:1"] * 16, "17 is not within 1..16"),
    ],
)
def test_what_cannot_be_played_is_told_before_a_snake_is_asked_or_built(scripted, options, says):
    snake = scripted(lambda _: [move("up")])
    error = run("--url", snake.url, *options).exception
    assert isinstance(error, BadInputError)
    assert says in str(error)
    assert snake.connections == 0


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
    assert len(children) >= 2, "a supervisor and its snake"
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 130, output
    assert "0 of 100 games" in output
    gone, alive = psutil.wait_procs(children, timeout=100)
    assert not alive
    assert len(gone) == len(children)


def test_the_wilson_interval():
    tally = ContestantTally("a", 10, 7, 0, 3, 0, 0.7, {}, {}, 0, 0, 1.0, 1.5, 2.0)
    # Wilson (1927) for 7 of 10: (7 + z²/2 ± z sqrt(7*3/10 + z²/4)) / (10 + z²) with z = 1.959964.
    assert win_rate_text(tally) == "70.0% [39.7%, 89.2%]"


def test_names_and_status_of_each_snake(scripted, urls):
    gone = scripted(lambda r: [http({}, "404 Gone")] if r.body["turn"] == 2 else [move(safe_move(r.body))])
    gone.index = http({"apiversion": 1})
    result = run(
        "--url", gone.url, "--url", urls[0], "--name", "fading", "--name", "good", "--games", 2,
        "--timeout-ms", 60000, "--failure-limit", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "fading failed to answer: 2 bad_status; first at turn 2: bad_status (status 404)" in result.output
    assert "fading: its apiversion is 1 and no text" in result.output
    assert "good failed to answer: never" in result.output
    assert gone.url not in result.output


@pytest.mark.parametrize("columns", ["80", "124"])
def test_nothing_is_cut_on_a_terminal_of_usual_width(urls, columns):
    arguments = "--url", urls[0], "--url", urls[1], "--games", "2", "--seed", "3", "--timeout-ms", "60000"
    result = CliRunner(env={"COLUMNS": columns}).invoke(play, arguments)
    assert result.exit_code == 0, result.output
    assert "…" not in result.output
    assert len(re.findall(r"50\.0% \[5\.5%, 94\.5%\] │", result.output)) == 2


def test_json_for_programs(urls, tmp_path):
    arguments = "--url", urls[0], "--url", urls[1], "--name", "a", "--name", "b", "--seed", 3, "--timeout-ms", 60000
    process = subprocess.run(
        command(*map(str, arguments), "--games", "6", "--format", "json"), capture_output=True, text=True, check=True
    )
    told = json.loads(process.stdout)
    assert (told["seed"], told["games"], told["planned"], told["failed_games"]) == (3, 6, 6, 0)
    first, second = told["snakes"]
    assert (first["name"], second["name"], first["pairs"]) == ("a", "b", 3)
    # Both snakes are the same: each seed's two games mirror each other.
    assert first["score"] == second["score"] == 0.5
    assert first["score_interval"][0] < 0.5 < first["score_interval"][1]
    assert first["won"] == second["lost"]
    assert 0 < first["latency_ms"]["p50"] <= first["latency_ms"]["p95"] <= first["latency_ms"]["p99"]
    assert first["warning"] is None
    assert "6 games, seed 3" in process.stderr


def test_a_gauntlet_is_the_first_against_each_of_the_others(scripted, urls):
    loser = scripted(lambda _: [move("up")])
    result = run(
        "--gauntlet", "--url", urls[0], "--url", urls[1], "--url", loser.url, "--name", "me", "--name", "same",
        "--name", "wall", "--games", 4, "--seed", 5, "--timeout-ms", 60000, "--format", "json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["games"] == 8
    same, wall = told["against"]
    assert (same["name"], same["score"], same["pairs"]) == ("same", 0.5, 2)
    assert (wall["name"], wall["score"], wall["pairs"]) == ("wall", 1.0, 2)
    assert [snake["pairs"] for snake in told["snakes"]] == [4, 2, 2]


def test_folders_of_any_language_are_built_and_run_by_their_own_commands(urls, tmp_path):
    (tmp_path / "snake.py").write_text(PYTHON_SNAKE)
    result = run(
        "--url", urls[0], "--snake-dir", tmp_path, "--name", "url", "--name", "python", "--games", 2,
        "--build-command", "cp snake.py {output}", "--run-command", f"{sys.executable} {{binary}} {{port}}",
        "--timeout-ms", 60000, "--max-turns", 5,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "python failed to answer: never" in result.output
    many = run("--snake-dir", tmp_path, "--build-command", "a", "--build-command", "b")
    assert isinstance(many.exception, BadInputError)


PYTHON_SNAKE = """
import http.server, sys
class Snake(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"apiversion": "1", "move": "up"}'
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Snake).serve_forever()
"""


def test_long_urls_are_told_apart_and_passwords_not_shown():
    long = "https://me:secret@snakes.example.com/a/very/long/path/that/goes/on/and/on/for/ever"
    names = names_of([f"{long}/one", f"{long}/two", f"{long}/two", "http://a:b@c"], [], ["first"])
    assert names[0] == "first"
    assert names[1:3] == [name.replace("#3", "#2") if at == 1 else name for at, name in enumerate(names[1:3], 1)]
    assert len(set(names)) == 4
    assert all("secret" not in name and len(name) < 60 for name in names)
    assert names[3] == "http://***@c"
    for bad in (["a", "a"], ["a", "b", "c"]):
        with pytest.raises(BadInputError):
            names_of(["http://a", "http://b"], [], bad)


def test_the_progress_line_is_right_while_no_game_ends(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("pipeline.referee.play_command.monotonic", lambda: now[0])
    column = GamesColumn()
    task = Task(TaskID(0), "", 10, 4, _get_time=lambda: now[0])
    task.start_time = 98.0
    assert str(column.render(task)) == "4 of 10 games, 2.0/s"
    now[0] = 138.0
    assert str(column.render(task)) == "4 of 10 games, 0.1/s, none ended for 38 s"


def outcome(died_on, failures=({}, {})):
    snakes = tuple(
        SnakeOutcome(who, "x" if turn else "", None, turn, 3, failed)
        for who, (turn, failed) in enumerate(zip(died_on, failures, strict=True))
    )
    return GameOutcome(ScheduledGame(0, 1, (0, 1)), Ending.DRAW, 9, None, snakes, 1.0)


TIMED_OUT = {Failure.TIMEOUT: 1}


@pytest.mark.parametrize(
    ("game", "score"),
    [
        (outcome((None, 9)), 1.0),
        (outcome((9, 9)), 0.5),
        (outcome((None, None)), 0.5),
        (outcome((8, 9)), 0.0),
        (outcome((None, 9), ({}, TIMED_OUT)), 0.5),
        (outcome((8, 9), (TIMED_OUT, {})), 0.5),
        (outcome((None, 9), (TIMED_OUT, {})), 1.0),
        (outcome((None, 9), (TIMED_OUT, TIMED_OUT)), 1.0),
    ],
)
def test_a_game_scores_as_the_tuner_scores_it(game, score):
    assert game_score(game, 0) == score
    assert game_score(game, 1) == 1 - score
    told = GameResult(
        seed=1,
        rotation=(0, 1),
        scores=(0.0, 0.0),
        turns=9,
        lengths=(3, 3),
        died_on=tuple(snake.died_on_turn or 0 for snake in game.snakes),
        causes=("", ""),
        failures=tuple("timeout" if snake.failures else "" for snake in game.snakes),
        move_ms=(1.0, 1.0),
        transcript="",
    )
    assert _fair(candidate_first=False)(told) == score


def test_the_interval_of_a_paired_score_counts_pairs():
    pairs = [PairOutcome(n, n, (outcome((None, 9)), outcome((9, None)))) for n in range(7)]
    pairs += [PairOutcome(n, n, (outcome((None, 9)),)) for n in range(7, 10)]
    score = paired_score(pairs, 0)
    assert (score.mean, score.pairs) == (0.65, 10)
    # Wilson (1927) for 6.5 of 10 as above: (0.65 + 0.19207 ± 1.95996 sqrt(0.02275 + 0.0096036)) / 1.384146.
    assert str(score) == "65.0% [35.4%, 86.3%]"
    assert str(paired_score([], 0)) == "-"


def test_the_page_of_a_watched_game_opens_at_a_desktop_alone(monkeypatch):
    opened, told = [], io.StringIO()
    monkeypatch.setattr("webbrowser.open", opened.append)
    for names, terminal, count in (((), True, 0), (("DISPLAY",), False, 0), (("DISPLAY", "SSH_CONNECTION"), True, 0),
                                   (("WAYLAND_DISPLAY",), True, 1)):  # fmt: skip
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
            monkeypatch.delenv(name, raising=False)
        for name in names:
            monkeypatch.setenv(name, ":0")
        show_page("http://127.0.0.1:8817/games#live", Console(file=told, force_terminal=terminal))
        assert len(opened) == count
    assert told.getvalue().count("/games#live") == 4
