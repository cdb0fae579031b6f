"""A Go snake that knows nothing of Ouroboros: its program is asked and found to be a server; linked, it is an arena."""

import subprocess

import pytest
from foreign_snake import SETTINGS, build_foreign_snake, foreign_snake
from in_process import InProcess

from pipeline.referee import (
    Contestant,
    MatchConditions,
    ScheduledGame,
    SnakeCommand,
    SnakeProcess,
    play_match,
    running_snakes,
)

CROWD = (0, 1, 0)


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    folder = foreign_snake(tmp_path_factory.mktemp("linked") / "snake", arena=True)
    return folder, build_foreign_snake(folder)


def timid(text):
    return text.replace("mine: 1.3 ", "mine: 0.4 ").replace("idle: 0.8", "idle: 3.5")


def test_a_snake_that_links_no_arena_just_serves(tmp_path):
    """Whoever asks it for a hello gets none, only what it prints anyway, and plays it over HTTP."""
    folder = foreign_snake(tmp_path / "snake")
    binary = build_foreign_snake(folder)
    command = SnakeCommand(
        (str(binary),), cwd=folder, environment={"OUROBOROS_ARENA": "1"}, settings_file=folder / SETTINGS
    )
    with SnakeProcess("hydra", command, tmp_path / "log") as snake:
        assert snake.log_tail() == "hydra awakes"
        assert snake.quickest_url == snake.url


def test_one_import_makes_it_an_arena_and_the_games_stay_the_same(linked, tmp_path):
    source, binary = linked
    texts = [(source / SETTINGS).read_text(), timid((source / SETTINGS).read_text())]
    assert texts[0] != texts[1]
    snakes = []
    for number, text in enumerate(texts):
        folder = foreign_snake(tmp_path / str(number))
        (folder / SETTINGS).write_text(text)
        command = SnakeCommand((str(binary),), cwd=folder, settings_file=folder / SETTINGS)
        snakes.append(SnakeProcess(str(number), command, tmp_path / f"{number}.log"))
    conditions, seeds, rotations = MatchConditions(timeout_ms=5000), [7, 2**60], [(0, 1), (1, 0), CROWD]
    schedule = [ScheduledGame(pair, seed, seats) for pair, seed in enumerate(seeds) for seats in rotations]
    with running_snakes(snakes):
        contestants = [Contestant(snake.name, snake.url) for snake in snakes]
        outcomes = play_match(contestants, schedule, conditions, failure_limit=0.0).games
    with InProcess(binary) as arena:
        for number, text in enumerate(texts):
            arena.weigh(str(number), text)
        games = arena.play(["0", "1"], rotations, seeds, conditions)
    assert [game["transcript"] for game in games] == [outcome.transcript for outcome in outcomes]
    assert len({game["transcript"] for game in games}) == len(games)
    assert [game["failures"] for game in games] == [[""] * len(game["rotation"]) for game in games]


def test_its_settings_are_refused_in_its_own_words(linked):
    with InProcess(linked[1]) as arena:
        arena.send(type="weights", id="w", text="strategy: [")
        answer = arena.read()
    assert answer["id"] == "w"
    assert "yaml" in answer["error"]


def test_without_the_variable_the_linked_snake_serves_as_before(linked):
    source, binary = linked
    process = subprocess.Popen([binary], cwd=source, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "hydra awakes\n"
    finally:
        process.kill()
        process.communicate()
