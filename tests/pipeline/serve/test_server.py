"""The server as a process: whole games over real sockets, its log, its shadow, and its end."""

import http.client
import os
import select
import signal
import subprocess
import sys

import orjson
import pytest
from battlesnake_requests import ME, OTHER, request
from served_site import wait_for

from pipeline.data.external_games import tape_of
from pipeline.engine.players.kinds import HUNGRY
from pipeline.engine.tape_reading import TapeReader
from pipeline.environment.serve_player import PlayerServer
from pipeline.referee import Contestant, MatchConditions, ScheduledGame, SnakeCommand, SnakeProcess, play_match
from pipeline.serve.shadow_report import report_shadows
from schemas.game import GameLog

START_DEADLINE_S = 240.0  # a first start compiles the engine


def command(model, games, home, *more):
    argv = (sys.executable, "-m", "pipeline.serve", str(model), "--host", "127.0.0.1", "--games-dir", str(games), *more)
    return SnakeCommand(argv, environment={"OUROBOROS_HOME": str(home)})


@pytest.fixture
def start(tmp_path):
    started = []

    def make(model, *more, games=""):
        process = SnakeProcess(
            "served", command(model, games, tmp_path, *more), tmp_path / "log", start_deadline_s=START_DEADLINE_S
        )
        process.start()
        started.append(process)
        return process

    yield make
    for process in started:
        process.stop()


def ask(process, method, path, content=None):
    line = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
    line.request(method, path, body=None if content is None else orjson.dumps(content))
    answer = line.getresponse()
    found = answer.status, orjson.loads(answer.read())
    line.close()
    return found


def until_gone(pid, deadline_s=60):
    """Wait until a process that is another's child has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], deadline_s)[0])
    finally:
        os.close(descriptor)


def test_the_official_api_and_what_is_no_request(start, model_file):
    process = start(model_file)
    status, about = ask(process, "GET", "/")
    assert (status, about["apiversion"], about["version"]) == (200, "1", "right-1")
    assert ask(process, "POST", "/start", request([ME, OTHER], turn=0)) == (200, {})
    assert ask(process, "POST", "/move", request([ME, OTHER])) == (200, {"move": "right"})
    assert ask(process, "POST", "/end", request([ME])) == (200, {})
    assert ask(process, "POST", "/move", {"turn": 3})[0] == 400
    assert "game" in ask(process, "POST", "/move", {"turn": 3})[1]["error"]
    assert ask(process, "POST", "/move", [1])[0] == 400
    assert ask(process, "GET", "/move")[0] == 404


def test_a_refereed_game_is_logged_shadowed_and_proved_by_the_rules(start, model_file, challenger_file, tmp_path):
    games = tmp_path / "games"
    process = start(model_file, "--shadow", str(challenger_file), games=games)
    opponent = PlayerServer(HUNGRY)
    opponent.start()
    contestants = [Contestant("ours", process.url), Contestant("hungry", opponent.url)]
    match = play_match(
        contestants, [ScheduledGame(0, 4, (0, 1))], MatchConditions(timeout_ms=20_000), failure_limit=0.0
    )
    opponent.stop()
    assert not match.games[0].failed
    wait_for(lambda: any((tmp_path / "self_play" / "shadow").glob("*")))  # its thread is of the lowest standing
    (pid,) = process.pids()
    os.kill(pid, signal.SIGTERM)
    assert until_gone(pid)
    assert "shadow up-1: asked about" in process.log_tail()
    assert "Traceback" not in process.log_tail()
    (path,) = games.iterdir()
    log = GameLog.model_validate_json(path.read_bytes())
    assert [snake.name for snake in log.snakes] == ["ours", "hungry"]
    states = list(TapeReader(tape_of(log)).states())
    assert len(states) - 1 == match.games[0].turns
    (report,) = report_shadows(tmp_path / "self_play" / "shadow")
    assert report.games == 1
    assert report.positions + report.dropped >= match.games[0].turns


def test_the_end_has_exit_code_0_and_a_port_that_is_taken_a_reason(start, model_file, tmp_path):
    process = start(model_file)
    (pid,) = process.pids()
    second = subprocess.run(
        [*command(model_file, "", tmp_path).argv, "--port", str(process.port)],
        capture_output=True, text=True, check=False, timeout=START_DEADLINE_S,
    )  # fmt: skip
    assert second.returncode != 0
    assert "address already in use" in second.stderr
    os.kill(pid, signal.SIGTERM)
    assert until_gone(pid)
