"""Logs of boards become tapes; what the rules do not explain is refused."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.external_games import stored_games, stored_log, tape_of
from pipeline.data.importers.frames import FrameReader, SeenBoard, SeenSnake
from pipeline.data.stored_game import RefusedGame, StoredGame
from pipeline.engine.tape_reading import TapeReader
from schemas.errors import DataError
from schemas.game import GameLog, GameLogOutcome, GameLogSettings

GOLDEN = Path(__file__).parents[2] / "golden" / "game_logs"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def flat(cells: list[list[int]]) -> list[int]:
    return [number for cell in cells for number in cell]


def log_of(game: StoredGame) -> GameLog:
    """The log that a watcher would have written of a game of ours: living snakes, board by board."""
    boards = FrameReader()
    for state in TapeReader(game.tape).states():
        seen = [
            SeenSnake(snake["id"], snake["id"], snake["health"], flat(snake["body"]))
            for snake in state["snakes"]
            if not snake.get("cause")
        ]
        boards.add(SeenBoard(state["turn"], seen, flat(state["food"]), flat(state["hazards"])))
    return GameLog(
        game_id=game.game_id, ruleset=game.ruleset, map=game.map_id, source="", timeout_ms=500,
        settings=GameLogSettings(), width=game.width, height=game.height, you=0, snakes=boards.snakes,
        outcome=GameLogOutcome.DRAW, turns=game.turns, frames=boards.frames,
    )  # fmt: skip


def living(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {key: snake[key] for key in ("id", "health", "body")} for snake in state["snakes"] if not snake.get("cause")
    ]


def test_a_game_of_ours_is_rebuilt_from_its_boards(games: list[StoredGame]) -> None:
    rebuilt = 0
    for game in games:
        if game.map_id == "snail_mode":
            continue
        states, again = list(TapeReader(game.tape).states()), list(TapeReader(tape_of(log_of(game))).states())
        assert len(states) == len(again)
        for one, other in zip(states, again, strict=True):
            assert living(one) == living(other)
            assert one["food"] == other["food"]
            assert sorted(one["hazards"]) == sorted(other["hazards"])
        rebuilt += 1
    assert rebuilt == 48


@pytest.mark.parametrize("name", ["duel", "royale"])
def test_the_cli_s_file_and_our_snake_s_log_are_the_same_game(name: str) -> None:
    (own,) = stored_games([GOLDEN / f"{name}.log.jsonl"], NOW)
    (theirs,) = stored_games([GOLDEN / f"{name}.cli.jsonl.gz"], NOW)
    assert isinstance(own, StoredGame)
    assert isinstance(theirs, StoredGame)
    assert own.game_id == theirs.game_id
    assert theirs.players[0] == "snake:A"
    assert theirs.source == "imported"
    assert theirs.seats_to_learn == ((theirs.winner,) if theirs.winner is not None else ())
    with gzip.open(GOLDEN / f"{name}.cli.jsonl.gz", "rt") as handle:
        *boards, result = [json.loads(line) for line in handle][1:]
    assert theirs.turns == boards[-1]["turn"]
    assert (theirs.winner is None) == (not result["winnerName"])
    if theirs.winner is not None:
        assert theirs.players[theirs.winner] == f"snake:{result['winnerName']}"


def changed(log: GameLog, turn: int, **fields: Any) -> GameLog:
    frames = [frame.model_copy(update=fields if frame.t == turn else {}) for frame in log.frames]
    return log.model_copy(update={"frames": frames})


def test_boards_that_no_moves_lead_to_are_refused(games: list[StoredGame]) -> None:
    log = log_of(games[0])
    third = log.frames[3]
    seat, health, length, x, y = third.s[0]
    cases = {
        "jumped": changed(log, 3, s=[(seat, health, length, (x + 5) % 11, y), *third.s[1:]]),
        "no moves lead": changed(log, 3, s=[(seat, health - 7, length, x, y), *third.s[1:]]),
        "without a gap": log.model_copy(update={"frames": log.frames[2:]}),
        "curled up": changed(log, 0, s=[(seat, 99, 3, *log.frames[0].s[0][3:]), *log.frames[0].s[1:]]),
        "none that a game can show": changed(log, 0, f=[50, 50]),
        "not every snake": changed(log, 0, s=log.frames[0].s[:1]),
    }
    for reason, case in cases.items():
        with pytest.raises(DataError, match=reason):
            tape_of(case)
        refused = stored_log(case, NOW, "here")
        assert isinstance(refused, RefusedGame)
        assert refused.where == "here"


@pytest.mark.parametrize("fields", [{"ruleset": "chess"}, {"map": "atlantis"}, {"width": 99}])
def test_games_this_engine_does_not_play_are_refused(games: list[StoredGame], fields: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        tape_of(log_of(games[0]).model_copy(update=fields))


def test_lines_that_are_no_logs_are_told_by_their_number(tmp_path: Path, games: list[StoredGame]) -> None:
    line = log_of(games[0]).to_line()
    (tmp_path / "day.jsonl").write_text(line + '{"format": "ouroboros-game-log/1"}\n' + line)
    one, refused, other = stored_games([tmp_path / "day.jsonl"], NOW)
    assert isinstance(one, StoredGame)
    assert one == other
    assert isinstance(refused, RefusedGame)
    assert refused.reason.startswith("line 2: ")
