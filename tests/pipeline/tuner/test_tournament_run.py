"""`ouroboros tournament`: played, stopped, gone on with; one row for each pairing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tuning_bench import Bench, strength

from pipeline.stopping import Stopping
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.jobs import JobFailure, MatchJob
from pipeline.tuner.tournament import CrossTable
from pipeline.tuner.tournament_run import Format, TournamentRequest, run_tournament
from schemas.errors import SettingsError, SnakeError
from schemas.settings import Settings
from schemas.tuning import TunerSettings


def weights_files(bench: Bench, count: int) -> tuple[str, ...]:
    """Each a quarter of a point, 100 Elo, stronger than the one before."""
    paths = []
    for number in range(count):
        path = bench.snake / f"w{number}.yaml"
        path.write_text(bench.config.read_text().replace("strength: 0.0", f"strength: {number / 4}"))
        paths.append(str(path))
    return tuple(paths)


def play(
    bench: Bench, request: TournamentRequest, backend: SimulatedBackend | None = None, stopping: Stopping | None = None
) -> CrossTable | None:
    settings = Settings(home=bench.home, tuner=TunerSettings(snake_dir=bench.snake))
    bench.backend = backend or SimulatedBackend(strength)
    opened = bench.backend
    return run_tournament(settings, request, bench.said.append, stopping=stopping, backend=lambda *_: opened)


def rows(bench: Bench) -> list[tuple[str, str, float, int]]:
    with closing(sqlite3.connect(bench.home / "tournaments" / "tournaments.db")) as database, database:
        found = database.execute("SELECT first, second, score, games FROM pairings ORDER BY 1, 2").fetchall()
    database.close()
    return found


@pytest.mark.parametrize("form", list(Format))
def test_the_strongest_is_first_and_each_pairing_has_a_row(bench: Bench, form: Format) -> None:
    snakes = weights_files(bench, 4)
    table = play(bench, TournamentRequest(snakes, form, games=80))
    assert table is not None
    assert Path(table.standings[0].name).stem == "w3"
    met = {Format.ROUND_ROBIN: 6, Format.GAUNTLET: 3, Format.SWISS: 6}[form]
    assert len(rows(bench)) == len(table.pairings) == met
    assert all(games == 80 for *_, games in rows(bench))
    assert bench.backend.games == met * 80


def test_stopped_it_goes_on_and_comes_to_the_same_table(bench: Bench) -> None:
    request = TournamentRequest(weights_files(bench, 4), Format.SWISS, games=40)
    seen: list[None] = []
    stopped = SimulatedBackend(strength, passing=lambda: seen.append(None))
    play(bench, request, stopped, Stopping(asked=lambda: len(seen) > 70))
    played_before = stopped.games
    assert 70 < played_before < 240
    table = play(bench, request)
    assert bench.backend.games < 240
    again = play(bench, request)
    assert again == table
    assert bench.backend.games == 0
    undisturbed = Bench(bench.home.parent / "other", bench.clock)
    whole = play(undisturbed, TournamentRequest(weights_files(undisturbed, 4), Format.SWISS, games=40))
    assert whole is not None
    assert table is not None
    assert [(Path(row.name).stem, row.elo) for row in table.standings] == [
        (Path(row.name).stem, row.elo) for row in whole.standings
    ]


def test_edited_weights_are_another_tournament(bench: Bench) -> None:
    snakes = weights_files(bench, 2)
    play(bench, TournamentRequest(snakes, games=20))
    Path(snakes[1]).write_text(bench.config.read_text().replace("strength: 0.0", "strength: 0.75"))
    play(bench, TournamentRequest(snakes, games=20))
    assert bench.backend.games == 20


def test_edited_code_is_another_tournament(bench: Bench) -> None:
    (bench.snake / "main.go").write_text("package main\n")
    request, played = TournamentRequest(weights_files(bench, 2), games=10), []
    for code in ("package main\n", "package main\n", "package main // better\n"):
        (bench.snake / "main.go").write_text(code)
        play(bench, request)
        played.append(bench.backend.games)
    assert played == [10, 0, 10]


def test_no_password_of_a_url_is_shown_or_kept_as_a_name(bench: Bench) -> None:
    table = play(bench, TournamentRequest(("http://me:secret@a:1", "http://b:1"), games=4))
    assert table is not None
    (noted,) = (bench.home / "tournaments").glob("*.json")
    for text in (table.cross_table(), noted.read_text(), repr(rows(bench)), bench.words):
        assert "secret" not in text
    assert "http://***@a:1" in table.cross_table()


def test_a_snake_that_cannot_be_played_is_told_and_the_rest_is_kept(bench: Bench) -> None:
    snakes = weights_files(bench, 3)

    def refuse(job: MatchJob) -> JobFailure | None:
        return JobFailure(job.id, "it does not start", snakes[2], "Look at its log.") if job.id.endswith("2") else None

    with pytest.raises(SnakeError, match="it does not start"):
        play(bench, TournamentRequest(snakes, games=20), SimulatedBackend(strength, refuse=refuse))
    assert [games for *_, games in rows(bench)] == [20]
    assert play(bench, TournamentRequest(snakes, games=20)) is not None
    assert bench.backend.games == 40


def test_games_of_four_are_rated_by_their_places(bench: Bench) -> None:
    table = play(bench, TournamentRequest(weights_files(bench, 5), games=60, seats=4))
    assert table is not None
    assert Path(table.standings[0].name).stem == "w4"
    assert table.games == 5 * 60


@pytest.mark.parametrize(
    ("request_of", "words"),
    [
        (lambda files: TournamentRequest(files[:1]), "2 seats need as many snakes, not 1"),
        (lambda files: TournamentRequest(files, seats=4), "4 seats need as many snakes, not 3"),
        (lambda files: TournamentRequest(files, Format.SWISS, seats=3), "a swiss is played in duels"),
    ],
)
def test_a_request_that_is_no_tournament_is_refused(bench: Bench, request_of, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingsError, match=words):
        request_of(weights_files(bench, 3))


def test_the_same_snake_twice_is_refused(bench: Bench) -> None:
    file = weights_files(bench, 1)[0]
    with pytest.raises(SettingsError, match="twice or more"):
        play(bench, TournamentRequest((file, file)))
