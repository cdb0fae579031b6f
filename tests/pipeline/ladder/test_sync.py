"""Each game once: whatever the lists show, whoever wrote it first, wherever the process ends."""

import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from arena_stand_in import OURS, RIVAL, THIRD, cut, no_json, recorded_game, sends_to, status
from forked import forked
from ladder_bench import NOW, Bench
from sqlalchemy import select

from pipeline.ladder import game_files, game_rows, sync
from pipeline.ladder.challenge import WantedGame, ask_for_games, snake_named
from pipeline.ladder.tables import challenges, games, opponents, ratings, results, syncs
from runner.triggers.games_folder import look
from schemas.errors import ArenaAwayError, ArenaError
from schemas.game import GameLog
from schemas.ladder import ArenaSettings
from schemas.service import StorageSettings

AFTER_ALL = {"kept": 4}


@pytest.fixture
def history_storage(database_kind: str, request: pytest.FixtureRequest) -> StorageSettings:
    """Every database in turn."""
    postgresql = database_kind == "postgresql"
    return StorageSettings(database_url=request.getfixturevalue("postgresql_url") if postgresql else "")


def all_of(bench: Bench, table: Any) -> list[dict[str, Any]]:
    with bench.database.read() as connection:
        found = [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
    return sorted(found, key=lambda row: str(row.get("created_at", ""))) if table is games else found


def test_what_is_new_comes_and_comes_once(bench: Bench) -> None:
    for kind in ("duel", "royale", "lost"):
        bench.world.add(kind)
    report = bench.sync()
    assert (report.games, report.refused, report.waiting, report.trouble) == (3, 0, 0, "")
    assert [row["outcome"] for row in all_of(bench, games)] == ["win", "win", "loss"]
    again = bench.sync()
    assert (again.games, again.requests) == (0, 4)
    assert len(bench.lines()) == 3
    lost = all_of(bench, games)[2]
    assert (lost["cause"], lost["killed_by"], lost["last_move"], lost["turns"]) == ("wall-collision", "", "up", 34)
    (news,) = look(bench.settings.games_dir, {})
    assert [(game.you_name, game.imported, game.outcome.value) for game in news.games] == [
        ("Ouroboros", False, "win"),
        ("Ouroboros", False, "win"),
        ("Ouroboros", False, "loss"),
    ]
    assert news.games[0].ended_at is not None
    assert (news.malformed, news.duplicates) == (0, 0)
    assert [(row["games"], row["waiting"]) for row in all_of(bench, syncs)] == [(3, 0), (0, 0)]


def test_ladder_games_count_and_those_who_beat_us_get_names(bench: Bench) -> None:
    bench.world.games_played, bench.world.rating = 12, 8.25
    for kind in ("duel", "royale", "lost"):
        bench.world.add(kind)
    bench.sync()
    counted = [(row["opponents"], row["opponent_rating"], row["score"]) for row in all_of(bench, results)]
    assert counted == [(1, 12.5, 1.0), (1, None, 1.0), (1, 12.5, 0.0)]
    met = {row["name"]: (row["owner"], row["games"], row["won"], row["lost"]) for row in all_of(bench, opponents)}
    assert met == {"Rival": ("bob", 2, 1, 1), "Third": ("bob", 1, 1, 0)}
    beaten_by = [row["name"] for row in all_of(bench, opponents) if row["last_lost_at"]]
    assert beaten_by == ["Rival"]
    bench.sync()
    assert [(row["rating"], row["rank"], row["games_played"]) for row in all_of(bench, ratings)] == [(8.25, 1, 12)]
    bench.world.rating = 7.5
    bench.sync()
    assert [row["rating"] for row in all_of(bench, ratings)] == [8.25, 7.5]


def test_a_game_that_runs_is_waited_for(bench: Bench) -> None:
    running = bench.world.add("duel", "running")
    waiting = bench.world.add("duel", "waiting")
    report = bench.sync()
    assert (report.games, report.running, report.waiting) == (0, 2, 0)
    game = bench.world.game(running)
    assert game is not None
    game["status"] = "finished"
    other = bench.world.game(waiting)
    assert other is not None
    other["status"] = "failed"
    assert bench.sync().games == 1
    assert bench.states() == {"kept": 1, "failed": 1}


def test_a_game_that_left_the_lists_is_asked_after(bench: Bench) -> None:
    running = bench.world.add("lost", "running")
    bench.sync()
    for _ in range(120):
        bench.world.add("lost")
    game = bench.world.game(running)
    assert game is not None
    game["status"] = "finished"
    report = bench.sync()
    assert "100 games of Ouroboros at most" in report.notes[0]
    assert bench.states() == {"kept": 101}
    assert any(asked == "POST /api/games/status" for asked in bench.world.asked)


def test_lists_are_no_longer_than_they_need_be(bench: Bench) -> None:
    for _ in range(30):
        bench.world.add("lost")
    bench.sync()
    asked = [line.partition("limit=")[2] for line in bench.world.asked if "limit=" in line]
    assert asked == ["20", "100"]
    bench.world.add("lost")
    bench.world.asked.clear()
    assert bench.sync().games == 1
    assert [line.partition("limit=")[2] for line in bench.world.asked if "limit=" in line] == ["20"]


def test_a_game_that_cannot_be_read_stops_no_other_and_is_given_up(bench: Bench) -> None:
    bad = bench.world.add("duel", board="nonsense")
    bench.world.add("royale")
    reports = [bench.sync() for _ in range(4)]
    assert [report.games for report in reports] == [1, 0, 0, 0]
    assert [report.refused for report in reports] == [0, 0, 1, 0]
    assert bad in " ".join(reports[2].notes)
    assert bench.states() == {"kept": 1, "refused": 1}


def test_trouble_ends_a_synchronisation_and_the_next_goes_on(bench: Bench) -> None:
    ids = [bench.world.add("lost") for _ in range(3)]
    bench.world.fail(f"/api/games/{ids[1]}/details", no_json)
    report = bench.sync()
    assert (report.games, report.waiting, report.trouble) == (2, 1, "")
    assert "answers no JSON" in " ".join(report.notes)
    bench.world.fail("/api/snakes", status(401, "Invalid or revoked token"))
    refused = bench.sync()
    assert refused.token_refused
    assert "arena login" in refused.trouble
    bench.world.fail(f"/api/games/{ids[1]}/details", cut)
    assert bench.sync().games == 1
    assert bench.states() == {"kept": 3}


def test_time_that_is_up_leaves_the_rest_for_the_next(bench: Bench) -> None:
    for _ in range(3):
        bench.world.add("lost")
    assert bench.sync(bench.client(until_s=-1)).waiting == 3
    assert bench.sync().games == 3


def test_a_game_that_our_snake_wrote_itself_is_not_written_again(bench: Bench) -> None:
    game_id = bench.world.add("lost")
    bench.world.add("duel")
    elsewhere = Bench(bench.home, bench.server, bench.settings, bench.database)
    elsewhere.sync()
    (file,) = bench.settings.games_dir.iterdir()
    written = json.loads(file.read_bytes().splitlines()[0])
    assert written["game_id"] == game_id
    with bench.database.write() as connection:
        for table in (results, games, opponents):
            connection.execute(table.delete())
    own = bench.settings.games_dir / "Ouroboros-20261127.jsonl"
    own.write_text(json.dumps(written) + "\n")
    file.unlink()
    assert bench.sync().games == 2
    assert len(bench.lines()) == 2
    (kept,) = [row for row in all_of(bench, games) if row["game_id"] == game_id]
    assert (kept["state"], kept["file"], kept["offset_bytes"]) == ("kept", own.name, 0)


def test_a_lost_database_finds_its_games_again(bench: Bench) -> None:
    for kind in ("lost", "duel"):
        bench.world.add(kind)
    bench.sync()
    with bench.database.write() as connection:
        for table in (results, games):
            connection.execute(table.delete())
    assert bench.sync().games == 2
    assert bench.states() == {"kept": 2}
    assert len(bench.lines()) == 2


def test_a_snake_against_itself_tells_nothing_of_its_strength(bench: Bench) -> None:
    twice = [{"id": OURS, "name": "Ouroboros"}] * 2
    frames = recorded_game("lost")["frames"]
    named_alike = json.loads(json.dumps(frames).replace('"Rival"', '"Ouroboros"'))
    bench.world.bodies["mirror"] = json.dumps(named_alike).encode()
    bench.world.add("lost", snakes=twice, winner=OURS, _of="mirror")
    assert bench.sync().games == 1
    assert all_of(bench, results) == []
    assert all_of(bench, games)[0]["own_seats"] == 2


def test_a_namesake_of_another_owner_is_told_by_its_author(bench: Bench) -> None:
    frames = json.dumps(recorded_game("lost")["frames"]).replace('"Rival"', '"Ouroboros"')
    bench.world.bodies["namesake"] = frames.encode()
    snakes = [{"id": RIVAL, "name": "Ouroboros"}, {"id": OURS, "name": "Ouroboros"}]
    bench.world.add("lost", snakes=snakes, _of="namesake")
    bench.world.bodies["unknown"] = frames.replace('"alice"', '"bob"').encode()
    bench.world.add("lost", snakes=snakes, _of="unknown")
    report = bench.sync()
    assert report.games == 1
    kept, refused = all_of(bench, games)
    assert (kept["outcome"], kept["cause"]) == ("loss", "wall-collision")
    assert "their authors do not tell which is ours" in refused["reason"]


def test_a_snake_that_was_renamed_since_is_found(bench: Bench) -> None:
    snakes = [{"id": OURS, "name": "Ouroboros 2"}, {"id": RIVAL, "name": "Rival"}]
    bench.world.add("lost", snakes=snakes)
    bench.world.add("duel", snakes=snakes, winner=OURS)
    assert bench.sync().games == 2
    assert [row["outcome"] for row in all_of(bench, games)] == ["loss", "win"]


def test_challenges_are_asked_of_the_arena_and_count_for_nothing_else(bench: Bench) -> None:
    bench.world.add("duel")
    bench.sync()
    client = bench.client()
    with bench.database.read() as connection:
        rival = snake_named(connection, client.snakes(), "Rival")
        with pytest.raises(ArenaError, match="no snake 'Nobody' is known"):
            snake_named(connection, [], "Nobody")
    (made,) = ask_for_games(client, bench.database, WantedGame((OURS, rival), "11x11", "standard", 1), bench.clock.now)
    game = bench.world.game(made)
    assert game is not None
    game["status"] = "finished"
    assert bench.sync().games == 1
    assert [row["challenged"] for row in all_of(bench, games)] == [False, True]
    assert len(all_of(bench, results)) == 1
    assert [GameLog.model_validate_json(line).imported_from for line in bench.lines()] == ["", "arena challenge"]
    with pytest.raises(ArenaError, match="Invalid board size"):
        ask_for_games(client, bench.database, WantedGame((OURS, rival), "5x5", "standard", 1), bench.clock.now)
    assert [row["state"] for row in all_of(bench, challenges)] == ["created", "refused"]


def test_a_lost_answer_to_a_challenge_is_found_out(bench: Bench) -> None:
    def made_and_lost(handler: Any) -> bool:
        snakes = [{"id": OURS, "name": "Ouroboros"}, {"id": THIRD, "name": "Third"}]
        bench.world.add("lost", snakes=snakes, created_at=NOW.isoformat(), updated_at=NOW.isoformat())
        return cut(handler)

    wanted = WantedGame((OURS, THIRD), "11x11", "standard", 1)
    for act in (made_and_lost, cut):
        bench.world.fail("/api/games", act)
        with pytest.raises(ArenaAwayError):
            ask_for_games(bench.client(), bench.database, wanted, bench.clock.now)
    assert [row["state"] for row in all_of(bench, challenges)] == ["unknown", "unknown"]
    bench.sync()
    assert [row["state"] for row in all_of(bench, challenges)] == ["created", "refused"]
    assert [row["challenged"] for row in all_of(bench, games)] == [True]


def test_no_more_games_are_asked_for_than_the_arena_takes(bench: Bench) -> None:
    wanted = WantedGame((OURS, RIVAL), "11x11", "standard", 25)
    with pytest.raises(ArenaAwayError, match=r"20 games were asked for .* after 12:10"):
        ask_for_games(bench.client(), bench.database, wanted, bench.clock.now)
    assert len(bench.world.games) == 20
    bench.clock.seconds += timedelta(minutes=10).total_seconds()
    five = WantedGame((OURS, RIVAL), "11x11", "standard", 5)
    assert len(ask_for_games(bench.client(), bench.database, five, bench.clock.now)) == 5


def half_of_append(games_dir: Path, now: Any, logs: list[GameLog]) -> None:
    """A kill in the middle of a line."""
    path = games_dir / f"arena-{now:%Y%m%d}.jsonl"
    data = "".join(log.to_line() for log in logs).encode()
    with path.open("ab") as handle:
        handle.write(data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before(original: Any) -> Any:
    def die(*args: Any, **rest: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    return die


def killed_after(original: Any) -> Any:
    def work_and_die(*args: Any, **rest: Any) -> Any:
        original(*args, **rest)
        os.kill(os.getpid(), signal.SIGKILL)

    return work_and_die


POINTS: dict[str, tuple[Any, str, Any]] = {
    "before a list is written down": (game_rows, "note_listed", killed_before),
    "before a game is asked for": (game_rows, "next_listed", killed_before),
    "before the causes are noted": (game_rows, "note_read", killed_before),
    "before the line": (sync, "append", killed_before),
    "half-way in the line": (sync, "append", lambda _original: half_of_append),
    "after the line": (sync, "append", killed_after),
    "in the transaction that keeps it": (game_rows, "keep", killed_after),
    "before the registration": (sync.Sync, "_register", killed_before),
    "before the report": (sync.Sync, "_report", killed_before),
}


def in_a_child(work: Any) -> int:
    """Run in a forked process; how it ended."""
    return os.waitstatus_to_exitcode(os.waitpid(forked(work), 0)[1])


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_kill_at_each_point_loses_nothing_and_doubles_nothing(
    bench: Bench, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("lost", "royale", "lost", "royale"):
        bench.world.add(kind)
    place, name, deadly = POINTS[point]
    with monkeypatch.context() as patch:
        patch.setattr(place, name, deadly(getattr(place, name)))
        patch.setattr(sync, "_AT_ONCE", 3)
        assert in_a_child(bench.sync) == -signal.SIGKILL
        assert in_a_child(bench.sync) == -signal.SIGKILL
    bench.sync()
    assert bench.states() == AFTER_ALL
    logs = [GameLog.model_validate_json(line) for line in bench.lines()]
    assert sorted(log.game_id for log in logs) == sorted(game["id"] for game in bench.world.games)
    assert [row["cause"] for row in all_of(bench, games)] == ["wall-collision", "", "wall-collision", ""]
    assert sorted(row["score"] for row in all_of(bench, results)) == [0, 0, 1, 1]
    assert {row["name"]: row["games"] for row in all_of(bench, opponents)} == {"Rival": 2, "Third": 2}
    for row in all_of(bench, games):
        kept = game_files.FilePlace(row["file"], row["offset_bytes"], row["length_bytes"])
        assert game_files.read_line(bench.settings.games_dir, kept).game_id == row["game_id"]


def test_a_snake_is_held_to_its_games_once_there_are_enough(bench: Bench) -> None:
    few = ArenaSettings(base_url=bench.server.url, register_after_games=10)
    bench.world.games_played = 12
    for _ in range(9):
        bench.world.add("lost")
    assert not any("is held to" in note for note in bench.sync(arena=few).notes)
    bench.world.add("duel")
    assert "Ouroboros is held to its 10 ladder games from now on" in bench.sync(arena=few).notes
    assert not bench.sync(arena=few).notes


def _answer(tree: Any) -> Any:
    return lambda handler: handler.reply(200, json.dumps(tree).encode())


@pytest.mark.parametrize(
    "act",
    [no_json, status(500, "boom"), status(403, "not yours"), status(418, "teapot"), sends_to("http://[bad/"),
     _answer({"frames": None}), _answer({}), _answer([])],
)  # fmt: skip
def test_a_game_that_cannot_be_had_stops_no_other_and_is_given_up(bench: Bench, act: Any) -> None:
    bad = bench.world.add("duel")
    bench.world.fail(f"/api/games/{bad}/", act, times=40)
    for _ in range(game_rows.MOST_ATTEMPTS):
        bench.world.add("lost")
        report = bench.sync()
        assert (report.games, report.trouble) == (1, "")
        assert bad in " ".join(report.notes)
    assert bench.states() == {"kept": game_rows.MOST_ATTEMPTS, "refused": 1}


def test_games_that_cannot_be_had_do_not_block_those_behind_them(bench: Bench) -> None:
    bad = [bench.world.add("duel") for _ in range(5)]
    for game_id in bad:
        bench.world.fail(f"/api/games/{game_id}/", no_json, times=40)
    for _ in range(2):
        bench.world.add("lost")
    assert [bench.sync().games, bench.states()] == [2, {"listed": 5, "kept": 2}]
    assert len(bench.lines()) == 2


def test_an_arena_that_has_no_game_for_us_counts_against_none(bench: Bench) -> None:
    for _ in range(6):
        bench.world.add("lost")
    bench.world.fail("/api/games/0", no_json, times=400)
    for _ in range(game_rows.MOST_ATTEMPTS + 1):
        asked = len(bench.world.asked)
        report = bench.sync()
        assert (report.games, report.refused, report.waiting) == (0, 0, 6)
        assert "answers no JSON" in report.trouble
        assert sum("details" in line for line in bench.world.asked[asked:]) == 4
    bench.world.faults.clear()
    assert bench.sync().games == 6


@pytest.mark.parametrize("path", ["/api/leaderboards", "/api/leaderboards/", "/api/games/status"])
def test_what_fails_beside_the_games_is_told_and_stops_none(bench: Bench, path: str) -> None:
    bench.world.add("duel", "running")
    bench.world.add("lost")
    bench.world.fail(path, status(404, "gone"), times=9)
    report = bench.sync()
    assert report.games == 1
    assert "refuses (404): gone" in report.trouble


def test_one_odd_row_of_a_ladder_hides_no_other(bench: Bench) -> None:
    bench.world.games_played, bench.world.rating = 12, 8.25
    bench.world.add("lost")
    table = {"leaderboard_id": "l", "leaderboard_name": "Standard"}
    ours = {"rank": 1, "battlesnake_id": OURS, "snake_name": "Ouroboros", "display_score": 8.25, "games_played": 12}
    gone = ours | {"battlesnake_id": RIVAL, "owner": None, "display_score": 12.5}
    odd = [ours | {"battlesnake_id": None}, ours | {"games_played": 2**63}, ours | {"display_score": None}, 7]
    bench.world.fail("/api/leaderboards/", _answer(table | {"ranked": [*odd, ours, gone]}))
    report = bench.sync()
    assert (report.games, report.trouble, len(report.notes)) == (1, "", 4)
    assert [row["rating"] for row in all_of(bench, ratings)] == [8.25]
    assert [row["rating"] for row in all_of(bench, opponents)] == [12.5]


def test_an_odd_entry_of_a_list_ends_no_looking_back(bench: Bench) -> None:
    for _ in range(60):
        bench.world.add("lost")
    bench.world.games[-3]["created_at"] = "2026-13-01T00:00:00Z"
    assert bench.sync().games == 59


@pytest.mark.parametrize("name", ["created_at", "updated_at"])
def test_an_instant_out_of_all_years_stops_no_other_game(bench: Bench, name: str) -> None:
    bench.world.add("duel", **{name: "0001-01-01T00:00:00+14:00"})
    bench.world.add("lost")
    report = bench.sync()
    assert (report.games, len(report.notes)) == (1, 1)


def test_thousands_of_odd_items_are_told_in_a_few_lines(bench: Bench) -> None:
    bench.world.add("lost")
    bench.world.fail("/api/games?", _answer([{"id": number} for number in range(3000)]))
    report = bench.sync()
    assert len(report.notes) == 21
    assert "2,980 more items" in report.notes[-1]
