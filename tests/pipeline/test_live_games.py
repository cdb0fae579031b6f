"""A game is shown only while somebody looks, bounded, and no disk holds it up."""

import os
import time
from pathlib import Path

import orjson
import pytest

from pipeline import live_games
from pipeline.live_games import LiveGames
from schemas.game import GameLogFrame
from schemas.live_game import LiveEnd, LiveGame, LiveSource, live_file, watched_file

FRAME = GameLogFrame(t=0, s=[(0, 100, 3, 1, 1)], b=[(0, [1, 1, 1, 1, 1, 1])], f=[5, 5])


class Clock:
    """The monotonic one."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live_games.time, "monotonic", clock)
    return clock


def look(home: Path, *, ago_s: float = 0.0) -> None:
    path = watched_file(home)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    then = time.time() - ago_s
    os.utime(path, (then, then))


def begun(home: Path, game: str = "g") -> LiveGames:
    games = LiveGames(home, LiveSource.PLAY)
    games.begin(game, "a test", ("standard", "standard"), (11, 11), ["one", "two"])
    return games


def lines(home: Path) -> list[bytes]:
    return live_file(home, LiveSource.PLAY).read_bytes().splitlines()


def test_nobody_looks_and_nothing_is_wanted(tmp_path: Path, clock: Clock) -> None:
    games = LiveGames(tmp_path, LiveSource.PLAY)
    assert not games.wanted(), "there is no folder"
    for ago_s, wanted in ((60.0, False), (0.0, True), (-60.0, False)):
        look(tmp_path, ago_s=ago_s)
        clock.at_s += 1
        assert games.wanted() is wanted, f"looked {ago_s} s ago"
        assert not games.wanted(), "asked again at once: nobody looks twice in half a second"


def test_a_game_is_told_and_the_next_one_when_a_person_has_seen_it(tmp_path: Path, clock: Clock) -> None:
    look(tmp_path)
    games = begun(tmp_path)
    assert games.is_showing("g")
    assert not games.is_showing("h")
    for turn in range(20):
        games.turn(FRAME.model_copy(update={"t": turn, "b": FRAME.b if turn == 0 else None}))
    clock.at_s += 1
    assert not games.wanted(), "one game at a time"
    games.end(["", "wall-collision"])
    first, *turns, last = lines(tmp_path)
    game = LiveGame.model_validate_json(first)
    assert (game.game_id, game.names, game.source) == ("g", ["one", "two"], LiveSource.PLAY)
    assert [orjson.loads(turn)["t"] for turn in turns] == list(range(20))
    assert LiveEnd.model_validate_json(last).causes == ["", "wall-collision"]
    clock.at_s += 0.9
    assert not games.wanted(), "20 turns take 2 s to be seen, and 1.9 have passed"
    clock.at_s += 0.2
    assert games.wanted()


def test_the_next_game_takes_the_file_and_a_reader_of_the_old_one_is_not_confused(tmp_path: Path) -> None:
    look(tmp_path)
    first = begun(tmp_path)
    with live_file(tmp_path, LiveSource.PLAY).open("rb") as reader:
        second = begun(tmp_path, "h")
        first.turn(FRAME)
        second.turn(FRAME)
        assert [len(reader.readlines()), len(lines(tmp_path))] == [2, 2]
        assert orjson.loads(lines(tmp_path)[0])["game_id"] == "h"
    assert {path.name for path in (tmp_path / "live").iterdir()} == {"play.jsonl", "watched"}, (
        "and nothing else is left"
    )


def test_a_game_that_was_dropped_makes_room(tmp_path: Path, clock: Clock) -> None:
    look(tmp_path)
    games = begun(tmp_path)
    clock.at_s += 29
    assert not games.wanted()
    clock.at_s += 2
    assert games.wanted()


def test_an_endless_game_ends_in_a_bounded_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(tmp_path)
    monkeypatch.setattr(live_games, "MOST_BYTES", 2000)
    games = begun(tmp_path)
    for _ in range(100):
        games.turn(FRAME)
    games.end([""])
    assert live_file(tmp_path, LiveSource.PLAY).stat().st_size <= 2000


def test_a_disk_that_refuses_ends_the_showing_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    games = begun(tmp_path)  # nobody looked: there is no folder
    assert not games.is_showing("g")
    games.turn(FRAME)
    games.end([""])
    look(tmp_path)
    games = begun(tmp_path)

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live_games.os, "write", refuse)
    games.turn(FRAME)
    assert not games.is_showing("g")
    games.end([""])
