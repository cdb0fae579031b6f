"""Finished games become lines of the game log, in the format that importers and the Go snake write."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from battlesnake_requests import request, snake

from pipeline.serve import game_log
from pipeline.serve.game_log import GamesInHand, append_line
from pipeline.serve.onnx_model import Evaluated
from pipeline.serve.policy import ChosenMove, thought_of
from schemas.game import GameLog, GameLogOutcome, GameLogThought

START = datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.at = START

    def __call__(self):
        self.at += timedelta(seconds=10)
        return self.at


@pytest.fixture
def games(tmp_path):
    return GamesInHand(tmp_path / "games", Clock())


def board(turn, *names, food=(), game="g-1"):
    found = [snake(name, [(x, turn + 2), (x, turn + 1), (x, turn)], 100 - turn) for x, name in enumerate(names)]
    return request(found, turn=turn, food=food, game=game)


def play(games, boards, end):
    games.find(boards[0])
    for asked in boards:
        games.add(asked)
        games.add(asked)  # a repeated request adds nothing
    return games.end(end)


def test_a_line_holds_the_whole_game(games, tmp_path):
    boards = [board(0, "you", "me"), board(1, "you", "me", food=[(5, 5)]), board(2, "you", "me", food=[(5, 5)])]
    log = play(games, boards, board(5, "me", food=[]))
    games.write(log)
    (path,) = (tmp_path / "games").iterdir()
    assert path.name == "The_me-20260301.jsonl"
    assert GameLog.model_validate_json(path.read_bytes()) == log
    assert (log.you, log.outcome, log.turns) == (1, GameLogOutcome.WIN, 5)
    assert [s.name for s in log.snakes] == ["The you", "The me"]
    frames = [frame.model_dump(exclude_none=True) for frame in log.frames]
    assert frames[0] == {
        "t": 0,
        "s": [(0, 100, 3, 0, 2), (1, 100, 3, 1, 2)],
        "b": [(0, [0, 2, 0, 1, 0, 0]), (1, [1, 2, 1, 1, 1, 0])],
    }
    assert frames[1] == {"t": 1, "s": [(0, 99, 3, 0, 3), (1, 99, 3, 1, 3)], "f": [5, 5]}
    assert frames[2] == {"t": 2, "s": [(0, 98, 3, 0, 4), (1, 98, 3, 1, 4)]}
    assert frames[3] == {"t": 5, "s": [(1, 95, 3, 0, 7)], "b": [(1, [0, 7, 0, 6, 0, 5])], "f": []}


@pytest.mark.parametrize(
    ("began", "ended", "outcome"),
    [
        (["me", "a"], ["me"], GameLogOutcome.WIN),
        (["me", "a"], ["a"], GameLogOutcome.LOSS),
        (["me", "a"], [], GameLogOutcome.DRAW),
        (["me", "a"], ["me", "a"], GameLogOutcome.DRAW),
        (["me"], [], GameLogOutcome.LOSS),
        (["me"], ["me"], GameLogOutcome.DRAW),
    ],
)
def test_outcomes(games, began, ended, outcome):
    assert play(games, [board(0, *began)], board(3, *ended)).outcome is outcome


def test_seats_are_those_of_the_first_request_until_the_end(games):
    assert games.find(board(0, "me", "a", "b")).seats == 3
    assert games.find(board(9, "me")).seats == 3
    games.end(board(10, "me"))
    assert games.find(board(11, "me")).seats == 1


def test_only_so_many_games_are_kept(games, monkeypatch):
    monkeypatch.setattr(game_log, "MOST_GAMES", 3)
    for number in range(5):
        games.find(board(0, "me", "a", game=str(number)))
    assert games.find(board(1, "me", game="4")).seats == 2
    assert games.find(board(1, "me", game="0")).seats == 1, "forgotten, so begun anew"


def test_a_game_nobody_moved_in_or_without_a_folder_leaves_nothing(games, tmp_path):
    games.find(board(0, "me", "a"))
    assert games.end(board(0, "me", "a")) is None
    unkept = GamesInHand(None, Clock())
    assert play(unkept, [board(0, "me", "a")], board(1, "me")) is None
    assert list((tmp_path / "games").iterdir()) == []


def test_a_torn_line_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"whole":1}\n{"to')
    append_line(path, b'{"next":2}\n')
    append_line(path, b'{"last":3}\n')
    assert path.read_bytes().splitlines() == [b'{"whole":1}', b'{"to', b'{"next":2}', b'{"last":3}']


def test_a_frame_tells_latencies_shouts_and_what_the_network_said(games):
    """Numbers as text, as the API has them; what is no number, or empty, is not told."""
    first = board(0, "you", "me")
    first["board"]["snakes"][0] |= {"latency": "31", "shout": "a <b>"}
    first["board"]["snakes"][1] |= {"latency": "soon", "shout": ""}
    games.find(first)
    said = Evaluated(np.array([[1.5, -2.0, 0.25, -0.5]], np.float32), np.array([[0.125]], np.float32))
    games.add(first, thought_of(ChosenMove(2, None, None, said), 0.00351))
    games.add(board(1, "you", "me"), thought_of(ChosenMove(2, None, None, None, "too late"), 0.4))
    log = games.end(board(2, "me"))
    frame = log.frames[0]
    assert (frame.l, frame.w) == ([(0, 31)], [(0, "a <b>")])
    assert frame.k == GameLogThought(
        m="left", v=0.125, d=0, n=1, ms=3.5, s=[("left", 0.25), ("up", 1.5), ("right", -0.5), ("down", -2.0)]
    )
    assert [each.k for each in log.frames[1:]] == [None, None]
    assert GameLog.model_validate_json(log.to_line()) == log
