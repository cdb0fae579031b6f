"""`ouroboros play --watch`: the board while a game is played, on a terminal of any size and where there is none."""

import io
import re
from time import monotonic, sleep

import orjson
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.progress import Progress
from scripted_snake import move, safe_move

from pipeline.referee.command import play
from pipeline.referee.conditions import MatchConditions
from pipeline.referee.game_board import GameBoard
from pipeline.referee.protocol import Identity
from pipeline.referee.schedule import ScheduledGame
from pipeline.referee.watching import BoardWatch

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
