"""A tournament's game on the board: played again by real snakes, and shown only if it is the game that was."""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from served_site import Served, served

from pipeline.tuner import replaying
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.tournament_run import TournamentRequest, run_tournament
from runner.web.read.board import boards
from schemas.errors import BadInputError, MachineError, ReplayDiffersError, SnakeError
from schemas.game import GameLogOutcome, replayed_game_id
from schemas.settings import Settings

SNAKE = Path(__file__).parents[2] / "pipeline" / "tuner" / "tiny_snake.py"
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """A pairing of two seeds, of a snake that looks where it goes and one that goes up; and the tournament's name."""
    folder = tmp_path_factory.mktemp("played")
    snake = folder / "snake"
    snake.mkdir()
    shutil.copy(SNAKE, snake)
    for name, clever in (("config", 0), ("clever", 1), ("simple", 0)):
        (snake / f"{name}.yaml").write_text(f"clever: {clever}.0\n")
    tuner = {"snake_dir": snake, "build_command": "", "timeout_ms": 5000,
             "run_command": f"{sys.executable} {snake / SNAKE.name} {{config}}"}  # fmt: skip
    settings = Settings.model_validate({"home": folder / "automation", "tuner": tuner})
    settings.home.mkdir()
    settings.save_to_file(settings.home / "settings.json")
    request = TournamentRequest((str(snake / "clever.yaml"), str(snake / "simple.yaml")), games=4)
    assert run_tournament(settings, request, lambda _line: None) is not None
    (path,) = (settings.home / "tournaments").glob("*.json")
    return settings, path.stem


@pytest.fixture
def site(played: tuple[Settings, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    settings, _ = played
    monkeypatch.setenv("OUROBOROS_HOME", str(settings.home))
    with served(settings.home) as found:
        yield found


def test_every_game_comes_out_as_it_did(played: tuple[Settings, str]) -> None:
    settings, cup = played
    with closing(Ledger(settings.home / "tournaments" / "tournaments.db", read_only=True)) as book:
        games = book.games(cup, f"{cup}:0-1")
    assert len(games) == 4
    for number in (0, 1):
        log = replaying.game_again(settings, cup, f"{cup}:0-1", number)
        shown = list(boards(log))
        assert [board.turn for board in shown] == list(range(games[number].turns + 1))
        assert [len(piece.body) for piece in shown[-1].pieces] == [
            length for length, died in zip(games[number].lengths, games[number].died_on, strict=True) if not died
        ]
        assert log.you == games[number].rotation.index(0)
        assert log.snakes[log.you].name == "clever.yaml"
        assert log.outcome is (GameLogOutcome.WIN if games[number].scores[log.you] == 1 else GameLogOutcome.LOSS)
        assert [(death.turn, death.cause) for death in log.deaths or []] == [
            (turn, cause) for turn, cause in zip(games[number].died_on, games[number].causes, strict=True) if cause
        ]
    assert list((settings.home / replaying.SCRATCH).iterdir()) == [settings.home / replaying.SCRATCH / ".lock"]


def test_what_cannot_be_played_again_says_why(played: tuple[Settings, str]) -> None:
    settings, cup = played
    for odd in ((cup, f"{cup}:0-1", 99), (cup, "0-1", 0), ("nobody", f"{cup}:0-1", 0)):
        with pytest.raises(BadInputError, match="there is no game"):
            replaying.game_again(settings, *odd)
    with pytest.raises(MachineError, match="not over in time"):
        replaying.game_again(settings, cup, f"{cup}:0-1", 0, deadline_s=0)
    gone = settings.model_copy(update={"tuner": settings.tuner.model_copy(update={"snake_dir": Path("/nowhere")})})
    with pytest.raises(SnakeError, match="no snake folder"):
        replaying.game_again(gone, cup, f"{cup}:0-1", 0)


def test_a_page_leads_from_the_pairing_to_the_board(site: Served, played: tuple[Settings, str]) -> None:
    _, cup = played
    listed = site.get(f"/strength/cup/{cup}/0/1", **HTML).body.decode()
    link = f"/strength/cup/{cup}/game?job={cup}%3A0-1&amp;number=2"
    assert link in listed
    away = site.get(link.replace("&amp;", "&"), **HTML)
    game_id = replayed_game_id(cup, f"{cup}:0-1", 2)
    assert (away.status, away.headers["location"]) == (302, f"/game?id={game_id}")
    board = site.get(away.headers["location"], **HTML).body.decode()
    assert "played again" in board
    assert "Turn 0:" in board
    told = site.get(f"/api/v1/games/again?run={cup}&job={cup}:0-1&number=2").json
    assert (told["game_id"], told["source"]) == (game_id, "tournament")
    for odd in (f"/strength/cup/{cup}/game?job=x&number=0", f"/strength/cup/{cup}/game?job={cup}:0-1",
                f"/tuner/{cup}/game?job={cup}:0-1&number=0"):  # fmt: skip
        assert site.get(odd, **HTML).status == 404


def test_a_game_that_came_out_otherwise_is_not_shown(site: Served, played: tuple[Settings, str]) -> None:
    settings, cup = played
    with closing(sqlite3.connect(settings.home / "tournaments" / "tournaments.db")) as rows, rows:
        rows.execute("UPDATE games SET transcript = ? WHERE number = 3", ("0" * 32,))
    rows.close()
    with pytest.raises(ReplayDiffersError, match="came out otherwise"):
        replaying.game_again(settings, cup, f"{cup}:0-1", 3)
    told = site.get(f"/api/v1/games/again?run={cup}&job={cup}:0-1&number=3")
    assert (told.status, told.headers["content-type"]) == (410, "application/problem+json")
    assert "came out otherwise" in told.json["detail"]
