"""What the pages read, against whoever wrote it: the tuner's own report, TensorBoard's writer, the official games."""

import gzip
import itertools
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lived_in import GOLDEN, HOSTILE_ID
from served_site import Served, served, wait_for
from tuning_bench import Bench, strength

from migrations.upgrade import upgrade
from pipeline.data.importers.frames import ImportedGame, to_game_log
from pipeline.data.importers.reading import games_in
from pipeline.evolution.tensorboard_log import TensorboardLog
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.gate import GateRules
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.report.from_ledger import report_of
from pipeline.tuner.tournament_run import TournamentRequest, run_tournament
from runner.store.engine import Store
from runner.web.pages.charts import Chart, Line, Mark, draw, number, thinned
from runner.web.read import board, replay_files, runs
from runner.web.read.board import ShownBoard
from runner.web.read.curves import read_curves
from runner.web.read.database import Database
from runner.web.read.game_index import GameFilter, GameIndex, load
from runner.web.read.ledger_games import games_of_cup, games_of_step
from runner.web.read.live import Follower, newest
from runner.web.read.tuning import Digest, Digests
from schemas.game import GameLog, GameLogFrame, GameLogOutcome, GameLogSettings, GameLogSnake
from schemas.live_game import LiveEnd, LiveGame, LiveSource, live_file
from schemas.settings import Settings
from schemas.tuning import TunerSettings

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def told_games() -> Iterator[GameLog]:
    """Games whose files tell how each snake died."""
    for path in sorted((GOLDEN / "arena").glob("*.details.json.gz")):
        for found in games_in([path]):
            assert isinstance(found.game, ImportedGame)
            yield to_game_log(found.game, None, path.name)


def test_what_follows_from_the_boards_is_what_the_referee_said() -> None:
    """Without the causes that a file tells, those that its boards leave open hold the true one."""
    deaths = 0
    for log in told_games():
        assert log.deaths
        told = {death.snake: death for death in log.deaths}
        for death in board.deaths(log.model_copy(update={"deaths": None})):
            deaths += 1
            assert told[death.snake].turn == death.turn
            assert not death.causes or told[death.snake].cause in death.causes
        assert {death.snake: death.cause for death in board.deaths(log)} == {
            snake: death.cause for snake, death in told.items()
        }
    assert deaths >= 3


@pytest.mark.parametrize(
    ("health", "body", "hazards", "causes"),
    [
        (1, [2, 2, 2, 1, 2, 0], [], ("out-of-health",)),
        (90, [0, 0, 0, 1, 0, 2], [], ("wall-collision",)),
        (10, [2, 2, 2, 1, 2, 0], [2, 3, 1, 2, 3, 2], ("hazard",)),
        (90, [0, 0, 1, 0, 1, 1, 0, 1, 0, 2], [], ("snake-self-collision", "wall-collision")),
    ],
)
def test_a_death_is_told_for_certain_only_where_nothing_else_could_have_been(
    health: int, body: list[int], hazards: list[int], causes: tuple[str, ...]
) -> None:
    """Moves that it would have lived through were not made, nor turns into its own neck."""
    other = [6, 6, 6, 5, 6, 4]
    before = GameLogFrame(t=3, s=[(0, health, len(body) // 2, *body[:2]), (1, 90, 3, 6, 6)],
                          b=[(0, body), (1, other)], z=hazards or None)  # fmt: skip
    after = GameLogFrame(t=4, s=[(1, 89, 3, 5, 6)])
    log = GameLog(
        game_id="g", ruleset="standard", map="standard", source="", timeout_ms=500, settings=GameLogSettings(), width=7,
        height=7, you=0, snakes=[GameLogSnake(id="0", name="a"), GameLogSnake(id="1", name="b")],
        outcome=GameLogOutcome.LOSS, turns=4, frames=[before, after],
    )  # fmt: skip
    (death,) = board.deaths(log)
    assert (death.snake, death.turn, tuple(sorted(death.causes))) == (0, 4, causes)


@pytest.mark.parametrize("name", ["duel", "royale", "constrictor", "wrapped"])
def test_every_board_of_a_replay_is_the_one_that_its_file_shows(name: str) -> None:
    path = GOLDEN / "referee" / f"official_{name}.jsonl.gz"
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()][1:-1]
    log = replay_files.read(path)
    assert log is not None
    compact = GameLog.model_validate_json(without_bodies(log).to_line())
    for line, whole, followed in zip(lines, board.boards(log), board.boards(compact), strict=True):
        for shown in (whole, followed):
            assert as_told(shown) == [
                (snake["health"], [(cell["x"], cell["y"]) for cell in snake["body"]])
                for snake in line["board"]["snakes"]
            ]
            assert list(shown.food) == [(cell["x"], cell["y"]) for cell in line["board"]["food"]]
            assert list(shown.hazards) == [(cell["x"], cell["y"]) for cell in line["board"]["hazards"]]


def without_bodies(log: GameLog) -> GameLog:
    """As a snake's own log is written: whole bodies on the first frame only."""
    frames = [frame if place == 0 else frame.model_copy(update={"b": None}) for place, frame in enumerate(log.frames)]
    return log.model_copy(update={"frames": frames})


def as_told(shown: ShownBoard) -> list[tuple[int, list[tuple[int, int]]]]:
    return [(piece.health, list(piece.body)) for piece in shown.pieces]


def test_the_index_follows_its_files_and_forgets_what_is_gone(tmp_path: Path) -> None:
    games, replays = tmp_path / "games", tmp_path / "replays"
    games.mkdir()
    line = (GOLDEN / "game_logs" / "duel.log.jsonl").read_bytes()
    log = games / "snake-20261121.jsonl"
    other = GameLog.model_validate_json(line).model_copy(update={"game_id": "another"}).to_line().encode()
    log.write_bytes(line + b"no game\n" + other[:200])
    index = GameIndex((games, replays), tmp_path)
    wait_for(lambda: index.refresh() or index.count() == 1)  # a look may end before the first game on a busy machine
    log.write_bytes(line + b"no game\n" + other + line)  # the first one again: as a second snake of ours logs it
    wait_for(lambda: index.refresh() or index.count() == 2)
    assert [found.game_id for found in index.find(GameFilter(), 10)] == [
        "another",
        GameLog.model_validate_json(line).game_id,
    ]
    index.close()
    again = GameIndex((games, replays), tmp_path)
    assert again.count() == 2, "an index that was made stays"
    found = again.find(GameFilter(), 10)[0]
    assert load(found) == GameLog.model_validate_json(other)
    log.unlink()
    replays.mkdir()
    whole = (GOLDEN / "referee" / "official_duel.jsonl.gz").read_bytes()
    (replays / "000001-x.jsonl.gz").write_bytes(whole)
    (replays / "000002-cut.jsonl.gz").write_bytes(whole[:500])
    wait_for(lambda: again.refresh() or (again.count() == 1 and not again.pending_bytes))
    seats = again.find(GameFilter(), 10)[0].seats
    assert sum(seat.died_on is None for seat in seats) <= 1
    assert again.find(GameFilter(snake=seats[0].name, cause="no such end"), 10) == []
    again.close()


def test_games_are_found_by_snake_result_length_and_cause(site: Served) -> None:
    def shown(query: str) -> str:
        return site.get(f"/games?{query}", accept="text/html").body.decode()

    assert shown("snake=Ouroboros&outcome=win").count('<p class="seats">') >= 1
    assert "No game fits" in shown("snake=Ouroboros&outcome=win&length=long&cause=out-of-health")
    assert shown("cause=wall-collision").count('<p class="seats">') >= 2
    assert "No game fits" in shown("snake=nobody")
    ended = {str(row["ended_at"])[:10] for row in site.get("/api/v1/games?limit=200").json["items"] if row["ended_at"]}
    for day in ended:
        assert shown(f"day={day}").count('<p class="seats">') >= 1
    assert ended
    assert "No game fits" in shown("day=2001-01-01")
    assert site.get("/games?day=soon", accept="text/html").status == 400
    assert site.get("/game?id=none", accept="text/html").status == 404
    assert site.get("/game", accept="text/html").status == 404
    assert HOSTILE_ID not in shown("")


def test_the_digest_is_the_tuner_s_own_report(lived_in: Path) -> None:
    folder = lived_in / "nn_training_results"
    ledger = Database(folder / "ledger.db", revision="")
    digests = Digests(ledger)
    book = Ledger(folder / "ledger.db", read_only=True)
    for run in book.runs():
        digest, report = digests.of(run), report_of(book, run, NOW)
        assert digest.complete
        assert len(digest.promotions) == len(report.promotions)
        with ledger.snapshot() as rows:
            for test in digest.tests.values():
                assert games_of_step(rows, run, test.serial)[1] == test.games > 0
        elo = [point for point in report.elo if point.games]
        assert [each.games for each in digest.promotions] == [point.games for point in elo]
        for test in report.gates:
            mine = digest.tests[test.decision.number]
            assert mine.path == list(test.decision.path)
            assert (mine.lower, mine.upper) == pytest.approx((test.decision.lower, test.decision.upper))
        screened = {row.path for row in report.weights if row.effect is not None}
        assert screened <= set(digest.effects) | set(book.state(run).inert)
    book.close()
    ledger.close()


def test_what_a_page_was_given_stands_still_while_the_ledger_is_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page once met a test whose first ratio was still to come."""
    monkeypatch.setattr("runner.web.read.tuning._SLICE", 3)
    monkeypatch.setattr("runner.web.read.tuning.LOOK_S", 0.0005)
    path, steps = tmp_path / "ledger.db", 30_000
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE steps (run TEXT, serial INTEGER PRIMARY KEY, at TEXT, kind TEXT, body TEXT)")
        tested = {"ratio": 0.5, "decision": "rejected"}
        rows = [(serial, json.dumps(tested | {"gate": 1 + serial // 3, "seeds": serial % 3}))
                for serial in range(1, steps + 1)]  # fmt: skip
        database.executemany("INSERT INTO steps VALUES ('r', ?, '2026-11-29T00:00:00.000000Z', 'judged', ?)", rows)
    ledger = Database(path, revision="")
    digests = Digests(ledger)
    given, told = list[Digest](), list[str]()

    def look() -> bool:
        found = digests.of("r")
        assert all(test.path for test in found.tests.values())
        given.append(found)
        told.append(repr(found))
        return found.complete

    wait_for(look)
    assert len({each.serial for each in given}) > 3, "it was read on between the looks"
    ledger.close()
    assert [repr(each) for each in given] == told
    assert given[-1].serial == steps


def test_the_bounds_of_every_test_are_the_gate_s() -> None:
    rules, digest = GateRules(), Digest("run")
    for number_of_test in (1, 2, 7, 50, 1000):
        bounds = rules.hypotheses(number_of_test)
        assert digest.bounds(number_of_test) == pytest.approx((bounds.lower, bounds.upper))


def test_curves_are_read_as_tensorboard_wrote_them(tmp_path: Path) -> None:
    diary = TensorboardLog(tmp_path)
    for step in (1, 2, 300, 70_000):
        diary.write(step, {"loss/policy": 0.5 / step, "unit": float(step)})
    diary.close()
    diary = TensorboardLog(tmp_path)
    diary.write(300, {"loss/policy": 0.25})
    diary.close()
    curves = read_curves(tmp_path)
    assert curves["loss/policy"] == pytest.approx({1: 0.5, 2: 0.25, 300: 0.25, 70_000: 0.5 / 70_000})
    assert curves["unit"] == {1: 1.0, 2: 2.0, 300: 300.0, 70_000: 70_000.0}
    (newest, *_) = sorted(tmp_path.glob("*tfevents*"), key=lambda path: -path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-3])
    assert read_curves(tmp_path)["loss/policy"][2] == 0.25


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=2000))
def test_a_thinned_line_keeps_its_highest_lowest_and_last_point(points: list[tuple[float, float]]) -> None:
    kept = thinned(points, 50)
    assert len(kept) <= 52
    values = [y for _, y in points]
    assert {min(values), max(values)} <= {y for _, y in kept}
    assert kept[-1] == points[-1]
    assert set(kept) <= set(points)


@given(st.lists(st.tuples(st.floats(0, 2e9), st.floats(-1e5, 1e5)), min_size=1, max_size=30), st.booleans(), st.text())
def test_any_chart_is_drawn_inside_its_picture_and_names_stay_text(
    points: list[tuple[float, float]], x_time: bool, name: str
) -> None:
    marks = [Mark(*points[0], words=name + "<b>", low=points[0][1] - 1, high=points[0][1] + 1, href="/x?a=1&b=2")]
    drawn = draw(Chart(title=name, x_name=name, y_name="y", lines=[Line(name, points)], marks=marks, x_time=x_time))
    assert "<b>" not in drawn and "nan" not in drawn.lower().replace(name.lower(), "")
    assert drawn.count('<a href="/x?a=1&amp;b=2"') == 1


@given(st.integers(-50, 50), st.sampled_from([0.001, 0.02, 0.25, 0.5, 1, 2.5, 200, 25_000]))
def test_neighbours_on_an_axis_never_read_alike(place: int, step: float) -> None:
    assert number(place * step, step) != number((place + 1) * step, step)


def test_history_is_filtered_paged_and_given_as_csv_without_formulas(site: Served) -> None:
    page = site.get("/history?outcome=failed", accept="text/html").body.decode()
    assert page.count('href="/history/2"') == 1 and 'href="/history/1"' not in page
    assert site.get("/history?since=2026-13-45", accept="text/html").status == 400
    rows = site.get("/history.csv?schedule=nightly").body.decode().splitlines()
    assert rows[0].startswith("run,schedule,trigger_type") and len(rows) == 5
    assert site.get("/history/999999", accept="text/html").status == 404


def test_only_files_of_the_run_s_own_folder_are_given_and_as_plain_text(site: Served) -> None:
    answered = site.get("/history/2/files/worker.log")
    assert answered.status == 200 and answered.headers["content-type"].startswith("text/plain")
    for path in ("..%2f..%2fautomation_tracking.db", "%2e%2e", "settings.json", "..%2fworker.log"):
        assert site.get(f"/history/2/files/{path}").status == 404, path
    for run in ("..", "..%2f..%2f..%2fetc", "."):
        assert site.get(f"/tuner/{run}/report", accept="text/html").status == 404, run


def test_a_pareto_front_stands_on_the_page_with_all_its_members(tmp_path: Path) -> None:
    ticks = itertools.count()
    bench = Bench(tmp_path, lambda: NOW + timedelta(seconds=next(ticks)))
    bench.config.write_text("thought: 400  # [50, 3200] positions\nboldness: 1.0  # [0, 2]\nname: viper\n")
    bench.backend = SimulatedBackend(
        lambda values: 60 * float(values["boldness"]), move_ms=lambda values: float(values["thought"]) / 100
    )
    bench.trainer(objectives=["score", "move_time"], max_iterations=2).train()
    book = Ledger(bench.state / "ledger.db", read_only=True)
    front = book.state(book.runs()[0]).front
    book.close()
    with served(bench.home) as found:
        page = found.get("/tuner", accept="text/html").body.decode()
    assert front and page.count('<circle class="mark') == len(front)
    assert all(f"<tr><td>{member.name}</td>" in page for member in front)


def test_an_empty_folder_says_what_will_come_and_one_without_a_database_says_why(tmp_path: Path) -> None:
    empty, begun = tmp_path / "empty", tmp_path / "begun"
    empty.mkdir()
    begun.mkdir()
    store = Store(f"sqlite:///{begun / 'automation_tracking.db'}", 30)
    upgrade(store, 3, NOW)
    store.close()
    pages = (
        "/",
        "/games",
        "/tuner",
        "/strength",
        "/history",
        "/schedules",
        "/new/schedule",
        "/training",
        "/history.csv",
    )
    with served(empty) as found:
        answers = {path: found.get(path, accept="text/html") for path in pages}
        assert {path for path, answer in answers.items() if answer.status == 503} == {
            "/history", "/schedules", "/new/schedule", "/history.csv"
        }  # fmt: skip
        assert b"ouroboros up" in answers["/history"].body
        assert all(answer.status in {200, 503} for answer in answers.values())
        assert b"What will appear here, and when" in answers["/"].body
    with served(begun) as found:
        answers = {path: found.get(path, accept="text/html") for path in pages}
        assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(pages, 200)
        assert b"Each run leaves a row here" in answers["/"].body
        for path in ("/games", "/tuner", "/strength", "/training"):
            assert b'class="headline"' in answers[path].body, "words in place of an empty box"


def test_a_live_file_of_anything_is_followed_or_left_alone(tmp_path: Path) -> None:
    """Half a line waits for its rest, one that is none is passed over, a game of yesterday is none that is played."""
    path = live_file(tmp_path, LiveSource.PLAY)
    path.parent.mkdir()
    game = LiveGame(game_id="g", source=LiveSource.PLAY, about="", ruleset="standard", map="", width=3, height=3,
                    names=["one"], began_at=NOW)  # fmt: skip
    frame = GameLogFrame(t=0, s=[(0, 9, 1, 1, 1)], b=[(0, [1, 1])]).model_dump_json(exclude_none=True)
    path.write_text(f"{game.model_dump_json()}\n{frame[:9]}")
    now_s, follower = path.stat().st_mtime, Follower(tmp_path)
    (news,) = follower.news(now_s)
    assert news.game == game and news.frames == []
    assert list(follower.news(now_s)) == []
    with path.open("a") as more:
        more.write(f'{frame[9:]}\n{{"causes":["wall-collision"]}}\n')
    (news,) = follower.news(now_s)
    assert (news.game, [each.t for each in news.frames], news.end) == (None, [0], LiveEnd(causes=["wall-collision"]))
    assert list(Follower(tmp_path).news(now_s + 3600)) == []
    for odd in ("nonsense\n", "[1]\n", game.model_dump_json() + '\n{"t":0,"s":[[7,1,1,1,1]]}\n', "\0" * 9 + "\n"):
        path.write_text(odd)
        assert list(Follower(tmp_path).news(now_s)) == [], odd
        assert newest(tmp_path) is None


@pytest.mark.parametrize(
    "path",
    ["/history/{}", "/history/{}/files/x", "/history?before={}", "/strength/evaluation/{}", "/tuner/nobody/step/{}",
     "/games?before={}", "/history?until=9999-12-31", "/strength?span={}", "/game?id=%00&turn={}", "/training?run={}"],
)  # fmt: skip
def test_numbers_that_no_row_has_are_answered_in_words(site: Served, path: str) -> None:
    for large in (2**63, 10**30):
        answer = site.get(path.format(large), accept="text/html")
        assert answer.status in {200, 400, 404, 422}, (path, answer.status)


def test_a_look_that_takes_too_long_goes_on_where_it_ended(site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(site.settings.home / "automation_tracking.db")
    with database.snapshot() as rows:
        for wanted in (runs.RunFilter(), runs.RunFilter(outcome="failed"), runs.RunFilter(outcome="timed_out")):
            whole = [run.id for run in runs.find(rows, wanted, 100).runs]
            assert whole == sorted(whole, reverse=True)
            with monkeypatch.context() as slow:
                slow.setattr(runs, "SLICE", 1)
                slow.setattr(runs, "LOOK_S", 0.0)
                pieces, before = list[int](), None
                while (page := runs.find(rows, replace(wanted, before=before), 100)).before is not None:
                    assert page.searched_to == page.before
                    assert page.looked == 1
                    pieces, before = [*pieces, *(run.id for run in page.runs)], page.before
                assert [*pieces, *(run.id for run in page.runs)] == whole
    database.close()


def test_games_of_three_stand_with_every_pairing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda: NOW)
    snakes = [bench.snake / f"w{number}.yaml" for number in range(3)]
    for idle, path in enumerate(snakes):
        path.write_text(bench.config.read_text().replace("idle: 5.0", f"idle: {idle}.0"))
    settings = Settings(home=bench.home, tuner=TunerSettings(snake_dir=bench.snake))
    request = TournamentRequest(tuple(map(str, snakes)), games=6, seats=3)
    run_tournament(settings, request, bench.said.append, backend=lambda *_: SimulatedBackend(strength))
    (told,) = (bench.home / "tournaments").glob("*.json")
    database = Database(bench.home / "tournaments" / "tournaments.db", revision="")
    with database.snapshot() as rows:
        found = games_of_cup(rows, told.stem, 2, 0, ["a", "b", "c"])
        assert found is not None
        assert found[1] == len(found[0]) == 6
        assert {seat.who for game in found[0] for seat in game.seats} == {"a", "b", "c"}
        assert games_of_cup(rows, told.stem, 0, 3, ["a", "b", "c"]) is None
        assert games_of_cup(rows, told.stem, 1, 1, ["a", "b", "c"]) is None
        assert games_of_cup(rows, "none", 0, 1, []) is None
    database.close()


PAGES_OF_NOTHING = (
    "/nowhere", "/history/999", "/history/999/files/worker.log", "/history/{}", "/schedules/none", "/triggers/none",
    "/game?id=none", "/game/data?id=none", "/training/game?id=none", "/tuner/none", "/tuner/none/step/1",
    "/tuner/none/report", "/tuner/none/game?job=x&number=1", "/strength/evaluation/999", "/strength/evaluation/{}",
    "/strength/cup/none/0/1", "/strength/cup/none/game?job=x&number=1", "/steer?verb=cancel&run=999",
    "/steer?verb=cancel&run={}", "/steer?verb=trigger&name=none", "/static/none.js",
)  # fmt: skip
API_OF_NOTHING = (
    "GET nowhere", "GET executions/999", "GET executions/999/log", "GET schedules/none", "GET triggers/none",
    "GET why/none", "GET commands/999", "GET models/none", "GET tuner/runs/none", "GET tuner/runs/none/report",
    "GET tournaments/none", "GET games/none", "GET games/again?run=a&job=b&number=1", "POST executions/999/cancel",
    "POST schedules/none/run", "POST schedules/none/pause", "DELETE schedules/none", "POST triggers/none/pause",
    "DELETE triggers/none",
)  # fmt: skip


def test_what_is_not_there_is_answered_by_404_and_a_sentence(site: Served, tmp_path: Path) -> None:
    """Where much has run, and where nothing has: a file that the first work makes is no fault before it."""
    with served(tmp_path) as empty:
        for path in (path for path in PAGES_OF_NOTHING if path.startswith(("/tuner", "/strength/cup", "/game", "/no"))):
            told = empty.get(path, accept="text/html")
            assert (told.status, b"<h1>Not found</h1>" in told.body) == (404, True), path
    for path in PAGES_OF_NOTHING:
        told = site.get(path.format(2**63), accept="text/html")
        assert (told.status, b"<h1>Not found</h1>" in told.body) == (404, True), path
        assert not re.search(rb"Not Found|Traceback", told.body), path
    for wish in API_OF_NOTHING:
        method, path = wish.split(" ")
        told = site.ask(method, f"/api/v1/{path}", {} if method == "POST" else None)
        assert (told.status, told.headers["content-type"]) == (404, "application/problem+json"), wish
        assert len(told.json["detail"].split()) > 2, wish
