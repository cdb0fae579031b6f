"""The morning's questions on the first page: how much stronger, how on the ladder, why lost; and who changed a plan."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lived_in import LOST
from served_site import Served

from runner import cli
from runner.web.pages.strength import snake_points
from runner.web.pages.your_snake import your_snake
from runner.web.read import definitions, ladder
from runner.web.read.ladder import Loss
from runner.web.site import open_site
from schemas.settings import Settings
from schemas.times import to_text

NOW = datetime(2026, 11, 30, 7, tzinfo=UTC)


def test_the_first_page_and_the_curve_tell_the_same_strength(lived_in: Path) -> None:
    site = open_site(Settings(home=lived_in), b"")
    points, level = snake_points(site), your_snake(site, datetime.now(UTC)).level
    site.close()
    point = points[-1]
    assert level is not None
    assert level.words == f"{point.elo:+.0f} Elo [{point.low:+.0f}, {point.high:+.0f}]"
    assert level.promotions == len([each for each in points if each.chain == point.chain])


def test_an_interval_reaches_as_far_down_and_up_as_it_was_measured(lived_in: Path) -> None:
    """Near a score of everything the interval is not the same to both sides."""
    site = open_site(Settings(home=lived_in), b"")
    for point in snake_points(site):
        assert point.low <= point.elo <= point.high
        within = point.words.split("[")[1].split("]")[0].split(", ")
        if point.chain == 0 and point == snake_points(site)[0]:
            assert within == [f"{point.low:+.0f}", f"{point.high:+.0f}"]
    site.close()


def test_the_ladder_s_week(own_home: Path) -> None:
    with closing(sqlite3.connect(own_home / "automation_tracking.db")) as database, database:
        database.row_factory = sqlite3.Row
        database.execute("DELETE FROM arena_ratings")
        database.execute("DELETE FROM arena_games")
        for snake, days, rating in (("s", 20, 10.0), ("s", 9, 12.0), ("s", 3, 15.0), ("s", 1, 14.0), ("t", 2, 30.0),
                                    ("u", 3, 8.0), ("u", 1, 9.0)):  # fmt: skip
            _insert(database, "arena_ratings", at=to_text(NOW - timedelta(days=days)), leaderboard_id="l",
                    leaderboard_name="Standard", snake_id=snake, snake_name=snake, rating=rating, rank=None,
                    of_ranked=9, games_played=days, first_places=0)  # fmt: skip
        for number, (days, outcome, challenged) in enumerate(
            ((1, "win", 0), (2, "loss", 0), (3, "loss", 1), (4, "draw", 0), (8, "loss", 0), (9, "win", 0), (1, None, 0))
        ):
            _insert(database, "arena_games", game_id=f"g{number}", state="kept" if outcome else "running",
                    challenged=challenged, snake_id="s", snake_name="s", own_seats=1, board="11x11",
                    game_type="Standard", snakes_json="[]", created_at=to_text(NOW - timedelta(days=days)), attempts=0,
                    outcome=outcome, reason="", turns=50, cause="wall-collision",
                    why_json='{"last_chance": 41}' if number == 1 else None)  # fmt: skip
    with closing(sqlite3.connect(own_home / "automation_tracking.db")) as database:
        database.row_factory = sqlite3.Row
        told = [
            (one.now.snake, one.now.rating, one.before) for one in ladder.standings(database, NOW - timedelta(7), 4)
        ]
        assert told == [("t", 30.0, None), ("s", 14.0, 12.0), ("u", 9.0, 8.0)]
        assert ladder.outcomes(database, NOW - timedelta(7)) == {"win": 1, "loss": 1, "draw": 1}
        first, second = ladder.losses(database, 3)
        assert (first.game_id, first.last_chance, first.thought_over) == ("g1", 41, True)
        assert second == Loss("g4", NOW - timedelta(days=8), "s", "wall-collision", "", 50, None, False)


def test_a_loss_opens_at_the_turn_at_which_another_move_held(site: Served) -> None:
    page = site.get("/").body.decode()
    assert f"/game?id={LOST}&amp;turn=40" in page
    assert "the last turn at which another move held was 40" in page


def test_who_changed_a_schedule_or_trigger_in_a_terminal_stands_with_it(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(own_home))
    words = ("schedules", "add", "--name", "mine", "--cron", "0 2 * * *")
    trigger = tmp_path / "trigger.json"
    trigger.write_text('{"name": "eager", "trigger_type": "data_driven", "condition_function": '
                       '"check_new_data_threshold", "parameters": {"min_games": 5}}')  # fmt: skip
    for asked in (
        words, ("schedules", "pause", "mine", "--note", "why"), ("schedules", "unpause", "mine"),
        (*words, "--set", "enabled=false"), ("schedules", "remove", "mine"), ("triggers", "add", str(trigger)),
        ("triggers", "pause", "eager"), ("triggers", "unpause", "eager"), ("triggers", "remove", "eager"),
    ):  # fmt: skip
        assert cli.run(list(asked)) == 0, asked
    assert cli.run(["schedules", "pause", "nobody"]) == 2
    with closing(sqlite3.connect(own_home / "automation_tracking.db")) as database:
        database.row_factory = sqlite3.Row
        verbs = [(one.verb, one.ok) for one in definitions.edits(database, "schedule", "mine", 20)][::-1]
        assert verbs == [(f"{verb}_schedule", True) for verb in ("save", "pause", "unpause", "save", "remove")]
        assert all("(process" in one.by for one in definitions.edits(database, "schedule", "mine", 20))
        verbs = [(one.verb, one.ok) for one in definitions.edits(database, "trigger", "eager", 20)][::-1]
        assert verbs == [(f"{verb}_trigger", True) for verb in ("save", "pause", "unpause", "remove")]
        assert definitions.edits(database, "schedule", "nobody", 20) == []


def test_a_name_that_cannot_be_one_is_refused_in_words(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(own_home))
    for name in ("a/b", "..", "%2F", "n" * 255, "مرحبا", "<b>", " ", ""):
        assert cli.run(["schedules", "add", "--name", name, "--cron", "0 2 * * *"]) == 2
        said = capsys.readouterr().err
        assert "a name has up to 100 letters" in said
        assert len(said) < 400


def _insert(database: sqlite3.Connection, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
