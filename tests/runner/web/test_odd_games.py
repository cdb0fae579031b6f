"""Files of games as nobody should write them: the others are shown all the same."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from runner.web.pages.games import draw_board
from runner.web.read import board, game_index
from runner.web.read.game_index import GameFilter, GameIndex
from schemas.game import GameLog

LINE = (Path(__file__).parents[2] / "golden" / "game_logs" / "duel.log.jsonl").read_bytes().splitlines()[0] + b"\n"


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(LINE) | {"game_id": "odd"} | fields).encode() + b"\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(game_index, "LOOK_S", 60.0)
    games = tmp_path / "games"
    games.mkdir()
    (games / "good.jsonl").write_bytes(LINE)
    return games


def known(games: Path) -> list[str]:
    """Looked at twice: what fails once must not fail for ever."""
    index = GameIndex((games,), games.parent)
    try:
        index.refresh()
        index.refresh()
        found = index.find(GameFilter(), 10)
        assert index.count() == len(found)
        return [game.game_id for game in found]
    finally:
        index.close()


def test_a_file_whose_name_is_no_text_is_passed_over_and_said_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff.jsonl")).write_bytes(changed())
    with caplog.at_level(logging.WARNING, "ouroboros.web"):
        assert known(folder) == [json.loads(LINE)["game_id"]]
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder}/bad\\xff.jsonl is passed over: its name is not UTF-8; rename it"
    ]


@pytest.mark.parametrize(
    "fields",
    [{"turns": 2**63}, {"width": 2**64 - 1}, {"ended_at": "0001-01-01T00:00:00+14:00"},
     {"deaths": [{"snake": 0, "turn": 2**63, "cause": "wall-collision"}]}],
)  # fmt: skip
def test_a_game_with_numbers_that_no_row_holds_hides_no_other(folder: Path, fields: dict[str, Any]) -> None:
    (folder / "a.jsonl").write_bytes(changed(**fields))
    assert known(folder) == [json.loads(LINE)["game_id"]]


@pytest.mark.parametrize("from_byte", [0, 4096])
def test_a_damaged_index_is_made_anew(folder: Path, from_byte: int) -> None:
    first = known(folder)
    file = folder.parent / "web" / "games.db"
    data = file.read_bytes()
    file.write_bytes(data[:from_byte] + b"U" * (len(data) - from_byte))
    assert known(folder) == first
    assert file.read_bytes()[:6] == b"SQLite", "in its file, for the next start"


def test_a_board_of_any_size_is_a_small_picture() -> None:
    log = GameLog.model_validate_json(changed(width=99_999, height=99_999))
    shown = next(board.boards(log))
    assert len(draw_board(log, shown, ["a"] * len(log.snakes))) < 5_000
