"""The in-process backend: the games that HTTP plays, and what it does where its arena cannot or will not."""

import re
import signal
import time
from dataclasses import replace

import backend_contract as contract
import orjson
import pytest
from foreign_snake import BUILD_COMMAND, SETTINGS, foreign_snake
from go_programs import REPOSITORY

from pipeline import live_games
from pipeline.live_games import LiveGames
from pipeline.referee import MatchConditions
from pipeline.tuner.backends import GameOrder
from pipeline.tuner.backends.http import HttpBackend
from pipeline.tuner.backends.inprocess import InProcessBackend, open_inprocess
from pipeline.tuner.jobs import JobFailure, JobKind, MatchJob, Participant, PlayConditions, SourceKind
from schemas.live_game import LiveSource, live_file, watched_file
from schemas.tuning import TunerSettings

SOURCE = REPOSITORY / "deploy" / "go-snake"
WEIGHTS = (SOURCE / "config.yaml").read_text()
OTHER = re.sub(r"room_need: [\d.]+", "room_need: 0.4", WEIGHTS)
BROKEN = re.sub(r"room_need: [\d.]+", "room_need: soon", WEIGHTS)
QUICK = PlayConditions(
    referee=MatchConditions(timeout_ms=5000), overrides={"search.duel_budget": 20, "search.crowd_budget": 15}
)
NEVER = lambda: False  # noqa: E731


def job(name, *texts, line=(0, 1), seeds=(1, 2), conditions=QUICK):
    participants = tuple(Participant(SourceKind.WEIGHTS, text) for text in texts)
    return MatchJob(name, JobKind.PROBE, participants, line, seeds, conditions)


def play(backend, job, count=None):
    """All of a job's games in order, or its first `count`, or its failure."""
    count = len(job.games) if count is None else count
    backend.begin([GameOrder(job, number) for number in range(count)])
    games, deadline = {}, time.monotonic() + 120
    while len(games) < count:
        assert time.monotonic() < deadline
        for played in backend.finished(1.0):
            assert played.job_id == job.id
            if isinstance(played.result, JobFailure):
                return played.result
            games[played.number] = replace(played.result, move_ms=())
    return [games[number] for number in sorted(games)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("backends")


@pytest.fixture(scope="module")
def http(folder):
    backend = HttpBackend(SOURCE, folder, TunerSettings(), "{binary} -config {config}")
    yield backend
    backend.close()


class Shared:
    """The HTTP backend of the module, lent out: its borrower does not end it."""

    def __init__(self, backend):
        self.begin, self.finished, self.drop = backend.begin, backend.finished, backend.drop
        self.notice, self.lent = backend.notice, 0

    def __call__(self, why):
        assert why
        self.lent += 1
        return self

    def close(self):
        pass

    @staticmethod
    def refused(why):
        raise AssertionError(f"nobody asked for HTTP: {why}")


def opened(folder, source=SOURCE, settings=None):
    backend = open_inprocess(source, folder, settings or TunerSettings(), NEVER, Shared.refused)
    assert isinstance(backend, InProcessBackend), backend
    return backend


@pytest.fixture(scope="module")
def arena(folder):
    backend = opened(folder)
    yield backend
    backend.close()


@pytest.fixture
def lender(http):
    return Shared(http)


@pytest.fixture
def in_process(arena, lender):
    arena._open_http, arena._http = lender, None
    return arena


@pytest.mark.parametrize("line", [(0, 1), (0, 1, 1, 1)])
def test_the_games_are_those_of_http(in_process, http, lender, line):
    asked = job(f"j{len(line)}", WEIGHTS, OTHER, line=line)
    assert play(in_process, asked) == play(http, asked)
    assert not lender.lent


def test_either_shows_the_same_game_while_somebody_looks(in_process, http, tmp_path, monkeypatch):
    """From its start to its end; HTTP tells latencies too."""
    monkeypatch.setattr(live_games, "WATCHED_FOR_S", 3600.0)  # a build may take long
    watched_file(tmp_path).parent.mkdir()
    watched_file(tmp_path).touch()
    told = {}
    for source, backend in ((LiveSource.TUNER, in_process), (LiveSource.TOURNAMENT, http)):
        monkeypatch.setattr(backend, "_live", LiveGames(tmp_path, source))
        games = play(backend, job("shown", WEIGHTS, OTHER), count=1)
        first, *frames, last = map(orjson.loads, live_file(tmp_path, source).read_bytes().splitlines())
        boards = [[frame["t"], *frame["s"]] for frame in frames]
        assert first["about"] == "A probe of weights, game 1 of 4"
        assert sorted(first["names"]) == ["explorer 1", "explorer 2"]
        assert (len(boards) - 1, tuple(last["causes"])) in {(game.turns, game.causes) for game in games}
        assert ["b" in frame for frame in frames] == [True, *[False] * (len(frames) - 1)]
        told[source] = (first["names"], frames[0]["b"], boards)
    assert told[LiveSource.TUNER] == told[LiveSource.TOURNAMENT]


@pytest.fixture(params=["http", "inprocess"])
def either(request, http, arena, lender):
    """Each of the two, held to the contract of all backends; tests/pipeline/cluster holds all machines to it too."""
    if request.param == "http":
        return http
    arena._open_http, arena._http = lender, None
    return arena


def quick_job(name):
    return job(name, WEIGHTS, OTHER)


def test_jobs_stay_apart(either):
    contract.keeps_jobs_apart(either, quick_job)


def test_a_dropped_job_is_silent(either):
    contract.drops_in_silence(either, quick_job)


def test_a_job_that_cannot_be_played_fails_alone(either):
    contract.fails_one_job_alone(either, job("bad", WEIGHTS, BROKEN), quick_job)


def test_weights_that_the_snake_refuses_fail_the_job_in_its_words_and_no_other(in_process):
    failure = play(in_process, job("bad", WEIGHTS, BROKEN))
    assert isinstance(failure, JobFailure)
    assert 'must be a finite number, not "soon"' in failure.what
    assert len(play(in_process, job("good", WEIGHTS, OTHER))) == 4


def test_a_map_that_the_arena_does_not_know_goes_over_http(in_process, lender):
    rings = job("rings", WEIGHTS, OTHER, conditions=replace(QUICK, referee=replace(QUICK.referee, map_id="hz_rings")))
    assert len(play(in_process, rings)) == 4
    assert lender.lent == 1


def test_a_process_that_is_killed_loses_no_game(folder, lender):
    backend = opened(folder, settings=TunerSettings(parallel_games=1))
    assert backend.capacity == 1
    backend._open_http = lender
    asked = job("killed", WEIGHTS, OTHER, seeds=(1, 2, 3))
    want = play(backend, asked)
    backend._link._process.kill()
    assert play(backend, replace(asked, id="again")) == want
    assert lender.lent == 1
    assert play(backend, replace(asked, id="and again")) == want
    backend.close()


def test_a_process_that_falls_silent_is_ended_and_loses_no_game(folder, lender, monkeypatch):
    backend = opened(folder, settings=TunerSettings(parallel_games=1))
    backend._open_http = lender
    asked = job("silent", WEIGHTS, OTHER, seeds=(1, 2, 3))
    want = play(backend, asked)
    process = backend._link._process
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr("pipeline.tuner.backends.inprocess.SILENT_S", 0.2)
    monkeypatch.setattr("pipeline.tuner.backends.arena_link.END_DEADLINE_S", 0.1)
    assert play(backend, replace(asked, id="again")) == want
    assert lender.lent == 1
    assert process.returncode == -signal.SIGKILL
    assert play(backend, replace(asked, id="and again")) == want
    backend.close()


def test_a_foreign_snake_says_why_it_cannot_or_plays_once_it_links_the_arena(tmp_path, monkeypatch):
    settings = TunerSettings(build_command=BUILD_COMMAND, config_file=SETTINGS)
    why = open_inprocess(foreign_snake(tmp_path / "plain"), tmp_path, settings, NEVER, Shared.refused)
    assert isinstance(why, str) and "does not import ouroboros-arena" in why
    linked = foreign_snake(tmp_path / "linked", arena=True)
    backend = opened(tmp_path, linked, settings)
    text = (linked / SETTINGS).read_text()
    games = play(backend, job("j", text, text.replace("mine: 1.3", "mine: 0.2"), conditions=PlayConditions()))
    backend.close()
    assert len(games) == 4
    (linked / "cmd/hydra/ouroboros.go").unlink()  # the module is asked for, and nobody calls it
    monkeypatch.setattr("pipeline.tuner.backends.arena_link.HELLO_DEADLINE_S", 0.5)
    why = open_inprocess(linked, tmp_path, settings, NEVER, Shared.refused)
    assert isinstance(why, str) and "does not call arena.Main" in why
    assert not list(tmp_path.glob("scratch_*"))
