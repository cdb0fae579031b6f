"""The Go snake in the simulator: what it is asked, that it plays what it plays anywhere, and a broken one."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import orjson
import pytest
from go_programs import build_go_snake
from living_processes import lives
from numpy.typing import NDArray

from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.layout import CAUSE, HEADER, MOVE_WORDS, SNAKE_FIELDS, Records
from pipeline.environment.serve_player import read_request
from pipeline.simulator import go_snake as module
from pipeline.simulator.go_snake import GoSnake
from pipeline.simulator.move_requests import MoveRequests
from schemas.errors import SnakeError

Rows = tuple[NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go_snake(tmp_path_factory.mktemp("snake"))


@pytest.fixture
def snake(binary: Path) -> Iterator[GoSnake]:
    made = GoSnake(binary, 60)
    yield made
    made.close()


def living(records: Records, seats: int) -> Rows:
    causes = records.fields[:, HEADER + CAUSE : HEADER + CAUSE + seats * SNAKE_FIELDS : SNAKE_FIELDS]
    games, snakes = np.nonzero(causes == 0)
    return games, snakes


def played(turns: int, seats: int = 2, games: int = 6, **spec: object) -> Batch:
    batch = Batch.uniform(games, GameSpec(11, 11, seats, **spec))  # type: ignore[arg-type]  # as the test says
    batch.reset(3)
    batch.play_random(turns)
    return batch


@pytest.mark.parametrize(
    ("seats", "spec"),
    [
        (2, {}),
        (4, {}),
        (4, {"ruleset": "wrapped", "map_id": "hz_islands_bridges"}),
        (4, {"ruleset": "royale", "map_id": "royale", "settings": {"shrinkEveryNTurns": 2}}),
        (2, {"ruleset": "constrictor"}),
        (2, {"settings": {"foodSpawnChance": 100}}),
    ],
)
def test_a_request_shows_the_game_as_it_is(seats: int, spec: dict[str, object]) -> None:
    for turns in (0, 1, 9):
        batch = played(turns, seats, **spec)
        games, snakes = living(batch.records, seats)
        lines = bytes(MoveRequests().lines(batch.records, games, snakes)).splitlines()
        assert len(lines) == len(games) > 0
        for line, number, asked in zip(lines, games.tolist(), snakes.tolist(), strict=True):
            request = orjson.loads(line)
            assert request["you"]["id"] == str(asked)
            request["game"]["id"] = ""
            shown, _ = read_request(request)
            told, real = shown.to_state(), batch.state_of(number)
            alive = [snake for snake in real["snakes"] if snake["body"]]  # of the dead none is kept
            assert [(s["health"], s["body"]) for s in told["snakes"]] == [(s["health"], s["body"]) for s in alive]
            assert sorted(told["food"]) == sorted(real["food"])
            assert sorted(told["hazards"]) == sorted(real["hazards"])
            assert (told["turn"], told["width"], told["height"]) == (real["turn"], 11, 11)


def test_it_plays_what_it_plays_for_whoever_asks(snake: GoSnake, binary: Path) -> None:
    records = played(12, 4).records
    games, snakes = living(records, 4)
    moves = snake.choose(records, games, snakes)
    text = bytes(MoveRequests().lines(records, games, snakes))
    told = subprocess.run([binary, "-think", "60"], input=text, capture_output=True, check=True).stdout.splitlines()
    assert [MOVE_WORDS[move] for move in moves] == [orjson.loads(answer)["move"] for answer in told]
    assert len(set(moves.tolist())) > 1
    one_by_one = [snake.choose(records, games[i : i + 1], snakes[i : i + 1])[0] for i in range(len(games))]
    assert one_by_one == moves.tolist()
    assert len(snake.choose(records, games[:0], snakes[:0])) == 0
    (program,) = snake._idle
    assert os.getpgid(program._process.pid) != os.getpgrp(), "Ctrl+C does not reach it"
    assert lives(program._process.pid)
    snake.close()
    assert not lives(program._process.pid)


def test_threads_ask_at_once_and_more_than_a_pipe_holds(snake: GoSnake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 500)
    records = played(8).records
    games, snakes = living(records, 2)
    expected = snake.choose(records, games, snakes)
    many = (np.tile(games, 100), np.tile(snakes, 100))
    with ThreadPoolExecutor(3) as pool:
        for moves in pool.map(lambda _: snake.choose(records, *many), range(3)):
            assert np.array_equal(moves, np.tile(expected, 100))


def broken(folder: Path, script: str) -> GoSnake:
    program = folder / "broken"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return GoSnake(program, 60)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "ended in the middle"),
        ("read line; echo u; exit 0", "ended in the middle"),
        ("while read line; do echo '! no such board'; done", "refuses a position: ! no such board"),
        ("while read line; do echo x; done", "refuses a position"),
        ("cat > /dev/null; sleep 1000", "answered 0 of"),
    ],
)
def test_a_program_that_does_not_play_is_an_error_and_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    monkeypatch.setattr(module, "_START_LIMIT_S", 0.5)
    monkeypatch.setattr(module, "_ANSWER_LIMIT_S", 0.01 if "cat" in script else 5.0)
    records = played(3).records
    snake = broken(tmp_path, script)
    with pytest.raises(SnakeError, match=words):
        snake.choose(records, *living(records, 2))
    assert not snake._idle


def test_one_that_the_machine_ended_is_followed_by_another(snake: GoSnake, binary: Path, tmp_path: Path) -> None:
    records = played(3).records
    rows = living(records, 2)
    once = broken(tmp_path, f'[ -e {tmp_path}/died ] && exec {binary} "$@"; touch {tmp_path}/died; kill -9 $$')
    assert np.array_equal(once.choose(records, *rows), snake.choose(records, *rows))
    assert (tmp_path / "died").exists()
    once.close()


def test_one_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    records = played(3).records
    with pytest.raises(SnakeError, match="cannot be started"):
        GoSnake(tmp_path / "nothing", 60).choose(records, *living(records, 2))
