"""`ouroboros play --watch`: the board while a game is played, on a terminal of any size and where there is none."""

import fcntl
import gzip
import io
import re
from time import monotonic, sleep

import orjson
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.progress import Progress
from scripted_snake import move, safe_move

from pipeline import live_games
from pipeline.data.command import game as show
from pipeline.referee.command import play
from pipeline.referee.game_board import GameBoard
from pipeline.referee.protocol import Identity
from pipeline.referee.schedule import MatchConditions, ScheduledGame
from pipeline.referee.watching import BoardWatch
from schemas.game import GameLogFrame
from schemas.live_game import LiveGame, LiveSource, live_file, watched_file
from schemas.service import LOCK_NAME

DEADLINE_S = 60


def until(said, *wanted):
    deadline = monotonic() + DEADLINE_S
    while not all(re.search(want, said()) for want in wanted):
        assert monotonic() < deadline, said()
        sleep(0.01)


@pytest.mark.parametrize("snakes", [1, 2, 8])
def test_on_a_terminal_the_board_is_drawn_anew_in_the_room_there_is(snakes):
    ids = tuple(range(snakes))
    board = GameBoard(ScheduledGame(0, 5, ids), MatchConditions(), [f"snake {n}" for n in ids], [Identity()] * snakes)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=70, height=30, color_system=None)
    with BoardWatch(console, Progress(console=console)) as watch:
        assert watch.turn_delay_s > 0
        watch.show(board.bodies().common, [""] * snakes)
        until(out.getvalue, "turn 0, standard on map standard", r"A snake 0  health 100, length 3, 0 ms")
        if snakes == 8:
            assert "H snake 7  health 100" in out.getvalue()
        console.size = (70, 9)
        until(out.getvalue, "the board needs 13 columns and (14|22) lines, here are 70 and 7")
        console.size = (70, 40)
        body = orjson.loads(board.play().common + b"null}")
        body["board"]["snakes"] = body["board"]["snakes"][1:]
        del body["you"]
        watch.show(orjson.dumps(body)[:-1] + b',"you":', ["wall-collision", *[""] * (snakes - 1)])
        until(out.getvalue, "turn 1, standard", "A snake 0  dead, wall-collision")


def test_elsewhere_each_game_s_last_board_is_printed_once(scripted):
    urls = [scripted(lambda r: [move(safe_move(r.body))]).url for _ in range(2)]
    arguments = ["--url", urls[0], "--url", urls[1], "--name", "one", "--name", "two", "--games", "4", "--max-turns",
                 "5", "--timeout-ms", "60000", "--watch", "--games-at-once", "3", "--ruleset", "wrapped"]  # fmt: skip
    result = CliRunner(env={"COLUMNS": "100"}).invoke(play, arguments)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert 1 <= len(re.findall(r"^turn 5, wrapped on map standard", result.output, re.M)) <= 4
    assert re.search(r"^\+\.+\+$", result.output, re.M), "no walls"
    assert re.search(r"one  health \d+, length \d", result.output)
    assert "4 of 4 games" in result.output


@pytest.fixture
def dashboard(tmp_path, monkeypatch):
    """A state folder whose dashboard runs, as far as its lock tells, with a page that watches."""
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    monkeypatch.setattr(live_games, "WATCHED_FOR_S", 3600.0)
    watched_file(tmp_path).parent.mkdir()
    watched_file(tmp_path).touch()
    with (tmp_path / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path


def test_where_the_dashboard_runs_games_are_shown_kept_and_addressed(scripted, dashboard):
    """What the page is shown is what is kept; the address is that of a kept game."""
    snakes = [scripted(lambda r: [move(safe_move(r.body))]) for _ in range(2)]
    arguments = [*(word for snake in snakes for word in ("--url", snake.url)), "--games", "2", "--max-turns", "9",
                 "--timeout-ms", "60000"]  # fmt: skip
    told = CliRunner().invoke(play, [*arguments, "--watch"])
    assert told.exit_code == 0, told.output
    assert "http://127.0.0.1:8817/games#live" in told.output
    (wanted,) = re.findall(r"http://127.0.0.1:8817/game\?id=(\S+)", told.output)
    kept = {path.name.removesuffix(".jsonl.gz")[7:]: path for path in (dashboard / "data" / "replays").iterdir()}
    assert len(kept) == 2 and wanted in kept
    first, *frames = map(orjson.loads, live_file(dashboard, LiveSource.PLAY).read_bytes().splitlines())
    assert LiveGame.model_validate(first).names == [snake.url for snake in snakes]
    lines = gzip.decompress(kept[first["game_id"]].read_bytes()).splitlines()
    boards = [orjson.loads(line)["board"] for line in lines[1:-1]]
    turns = [GameLogFrame.model_validate(frame) for frame in frames if "causes" not in frame]
    assert [[(s[1], s[3], s[4]) for s in turn.s] for turn in turns] == [
        [(snake["health"], snake["head"]["x"], snake["head"]["y"]) for snake in board["snakes"]] for board in boards
    ]
    again = CliRunner().invoke(show, ["show", wanted])
    assert again.exit_code != 0, "a replay is shown by its file"
    by_file = CliRunner().invoke(show, ["show", str(kept[wanted]), "--turn", "3"])
    assert f"On the board: http://127.0.0.1:8817/game?id={wanted}&turn=3" in by_file.output


def test_without_a_dashboard_nothing_is_kept_and_no_address_is_told(scripted, tmp_path, monkeypatch):
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    (tmp_path / LOCK_NAME).touch()
    urls = [scripted(lambda r: [move(safe_move(r.body))]).url for _ in range(2)]
    arguments = ["--url", urls[0], "--url", urls[1], "--games", "2", "--max-turns", "3", "--timeout-ms", "60000"]
    told = CliRunner().invoke(play, [*arguments, "--watch"])
    assert told.exit_code == 0, told.output
    assert "http://127.0.0.1:8817" not in told.output
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_NAME]
