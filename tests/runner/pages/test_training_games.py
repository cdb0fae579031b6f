"""Games that training keeps, from their records to the board: listed, opened, and what is said where there are none."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from served_site import served

from pipeline.data.command import game
from pipeline.data.training_games import training_games
from pipeline.engine.layout import CAUSE_WORDS
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.engine.tape_reading import TapeReader
from pipeline.simulator.competitor import every_seating, heuristic, seatings_of
from pipeline.simulator.journal import GameJournal
from runner.web.read.board import boards
from schemas.game import GameLog
from schemas.settings import Settings

PLAYERS = [heuristic("hungry"), heuristic("random")]
HTML = {"accept": "text/html"}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two games by which a network was judged, one torn line."""
    settings = Settings(home=tmp_path)
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    journal = GameJournal(settings.pipeline_dir / "run_1" / "judging" / "net-1.jsonl")
    journal.play(PLAYERS, *every_seating(seatings_of(2, 2), fresh_seeds(3, 1)), GameConditions(), tapes=True)
    with journal.path.open("a") as torn:
        torn.write('{"key": "x", "tape": "')
    return settings


def test_they_are_listed_and_become_lines_of_the_game_log(kept: Settings) -> None:
    found = list(training_games(kept))
    assert sorted(each.players for each in found) == [
        ("heuristic:hungry", "heuristic:random"), ("heuristic:random", "heuristic:hungry")
    ]  # fmt: skip
    told = CliRunner().invoke(game, ["list", "--json"])
    assert [row["game_id"] for row in json.loads(told.output)] == [each.game_id for each in found]
    for names, count in ((["heuristic:hungry", "heuristic:random"], 2), (["heuristic:hungry"], 2), (["model:none"], 0)):
        told = CliRunner().invoke(game, ["list", "--json", *(f"--player={name}" for name in names)])
        assert len(json.loads(told.output)) == count
    for each in found:
        line = CliRunner().invoke(game, ["show", each.game_id[:12], "--as-log"])
        log = GameLog.model_validate_json(line.output)
        states = list(TapeReader(each.tape).states())
        assert [shown.turn for shown in boards(log)] == [state["turn"] for state in states]
        for shown, state in zip(boards(log), states, strict=True):
            assert [[list(cell) for cell in piece.body] for piece in shown.pieces] == [
                snake["body"] for snake in state["snakes"] if "cause" not in snake
            ]
            assert [list(cell) for cell in shown.food] == state["food"]
        assert [(death.snake, death.cause) for death in log.deaths or []] == [
            (seat, CAUSE_WORDS[cause]) for seat, cause in enumerate(each.causes) if cause
        ]


def test_one_is_opened_on_the_board_and_lies_among_the_kept_games_from_then_on(kept: Settings) -> None:
    first, *_ = training_games(kept)
    with served(kept.home) as site:
        page = site.get("/training/games", **HTML).body.decode()
        assert f"/training/game?id={first.game_id}" in page
        none = site.get("/training/games?player=heuristic%3Ahungry&player=model%3A%3Cb%3Ex", **HTML).body.decode()
        assert "<code>heuristic:hungry</code> and <code>model:&lt;b&gt;x</code>" in none
        assert "is kept any more" in none
        assert site.get("/api/v1/training/games").json[0]["game_id"] == first.game_id
        away = site.get(f"/training/game?id={first.game_id}&turn=3", **HTML)
        assert (away.status, away.headers["location"]) == (302, f"/game?id={first.game_id}&turn=3")
        board = site.get(away.headers["location"], **HTML).body.decode()
        assert "heuristic:hungry at " in board
        assert "Turn 3:" in board
        assert first.game_id[:8] in site.get("/games", **HTML).body.decode()
        for odd in ("0" * 32, "../../etc/passwd", ""):
            assert site.get(f"/training/game?id={odd}", **HTML).status == 404


def test_where_training_has_kept_nothing_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    assert "no game yet" in CliRunner().invoke(game, ["list"]).output
