"""`ouroboros game show`: a board of any game that can be read, by its file or its id."""

import gzip
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.data.command import game
from pipeline.data.external_games import stored_games
from pipeline.data.game_logs import import_games
from pipeline.data.store import GameStore
from pipeline.data.stored_game import StoredGame
from schemas.errors import BadInputError
from schemas.game import GameLog
from schemas.settings import get_config

GOLDEN = Path(__file__).parents[2] / "golden"
GAMES, ARENA, REPLAYS = GOLDEN / "games", GOLDEN / "arena", GOLDEN / "referee"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def shown(*arguments: Any, columns: int = 100) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(game, ["show", *map(str, arguments)])


def said(*arguments: Any) -> str:
    result = shown(*arguments)
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


@pytest.mark.parametrize(
    ("path", "turn", "says"),
    [
        (GAMES / "engine_whole_control.json", 0, ["turn 0 of 2", "A a", "B b"]),
        (GAMES / "cli_1.0_without_map.jsonl", None, ["won by b", "standard on map standard"]),
        (GAMES / "log_official_end_control.jsonl", None, ["turn 3 of 3", "a win for"]),
        (ARENA / "constrictor.details.json.gz", None, ["Rival  dead, last seen on turn 33", "won by Ouroboros"]),
        (REPLAYS / "official_wrapped.jsonl.gz", 5, ["turn 5 of ", "wrapped on map standard", "+..."]),
        (REPLAYS / "official_royale.jsonl.gz", None, ["~~~~", "won by"]),
    ],
)
def test_files_of_every_kind(path: Path, turn: int | None, says: list[str]) -> None:
    output = said(path, *(() if turn is None else ("--turn", turn)))
    assert [part for part in says if part not in output] == []
    assert "\x1b" not in output


def test_a_turn_that_is_not_there_and_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    missing = shown(GAMES / "engine_whole_control.json", "--turn", 7)
    assert isinstance(missing.exception, BadInputError)
    assert "there is no turn 7" in str(missing.exception)
    assert "turns 0 to 2" in str(missing.exception)
    (tmp_path / "x.json").write_text("nonsense")
    for path, why in (
        (GAMES / "engine_frames_cut_short.json", "frames end at turn 1"),
        (tmp_path / "x.json", "no JSON"),
    ):
        refused = shown(path)
        assert isinstance(refused.exception, BadInputError)
        assert why in str(refused.exception)
    assert isinstance(shown("no-such-game").exception, BadInputError)


def test_one_of_several_games_in_a_file_by_number_or_id(tmp_path: Path) -> None:
    both = tmp_path / "both.jsonl"
    parts = [(GAMES / name).read_bytes() for name in ("cli_same_ids.jsonl", "cli_1.1_winner_line_ignored.jsonl")]
    both.write_bytes(b"".join([*parts, gzip.decompress((REPLAYS / "official_duel.jsonl.gz").read_bytes())]))
    assert "game old-cli-winner" in said(both), "the first that can be read"
    assert "game 2 of 3, --game N shows another; 1 cannot be read" in said(both)
    third = said(both, "--game", 3, "--turn", 1)
    assert said(both, "--game", third.split("game ")[1][:6], "--turn", 1) == third
    refused = shown(both, "--game", 1)
    assert "same id" in str(refused.exception)
    assert isinstance(shown(both, "--game", 9).exception, BadInputError)


def test_games_of_the_games_folder_and_of_the_store_are_found_by_their_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    config = get_config()
    import_games([GAMES / "cli_1.1_winner_line_ignored.jsonl"], config.games_dir, NOW, "b")
    assert "a win for b" in said("old-cli")
    (stored,) = stored_games([ARENA / "royale.details.json.gz"], NOW)
    assert isinstance(stored, StoredGame)
    GameStore(config.training_games_dir).add([stored])
    by_id, by_file = said(stored.game_id[:8], "--turn", 9), said(ARENA / "royale.details.json.gz", "--turn", 9)
    board = [row.split("|")[1] for row in by_file.splitlines() if row.startswith("|")]
    assert [row.split("|")[1] for row in by_id.splitlines() if row.startswith("|")] == board
    shutil.rmtree(config.games_dir)
    assert isinstance(shown("old-cli").exception, BadInputError)


def test_odd_files_of_the_games_folder_hide_no_game_and_a_damaged_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    folder = get_config().games_dir
    written = import_games([GAMES / "engine_whole_control.json"], folder, NOW).written_to
    assert written is not None
    game_id = GameLog.model_validate_json(written.read_text()).game_id
    os.mkfifo(folder / "a.jsonl")
    (folder / "b.jsonl").mkdir()
    assert "turn 2 of 2" in said(game_id)
    written.write_text(written.read_text()[:-20] + "\n")
    damaged = shown(game_id)
    assert isinstance(damaged.exception, BadInputError)
    assert "the game's line is damaged" in str(damaged.exception)
