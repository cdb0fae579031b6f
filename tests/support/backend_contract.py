"""What every backend of the tuner promises, whoever plays: called by the tests of each of them.

`jobs(name)` makes a job whose games the backend can play; two of one content and different names are the same games.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from pipeline.tuner.backends import Backend, GameOrder
from pipeline.tuner.jobs import GameResult, JobFailure, MatchJob

DEADLINE_S = 180.0


def play(backend: Backend, *jobs: MatchJob) -> dict[str, list[GameResult] | JobFailure]:
    """Every job's games in order, or its failure; nothing else, and nothing twice."""
    orders = [GameOrder(job, number) for job in jobs for number in range(len(job.games))]
    backend.begin(orders)
    games: dict[tuple[str, int], GameResult] = {}
    failures: dict[str, JobFailure] = {}
    end = time.monotonic() + DEADLINE_S
    while any(job.id not in failures and sum(key[0] == job.id for key in games) < len(job.games) for job in jobs):
        assert time.monotonic() < end, f"{len(games)} of {len(orders)} games came"
        for played in backend.finished(0.2):
            key = played.job_id, played.number
            assert played.job_id in {job.id for job in jobs}, f"{key} is of a job that nobody wants"
            assert key not in games, f"{key} was told twice"
            if isinstance(played.result, JobFailure):
                failures[played.job_id] = played.result
            else:
                games[key] = replace(played.result, move_ms=())
    return {job.id: failures.get(job.id) or [games[job.id, number] for number in range(len(job.games))] for job in jobs}


def plays_the_games_of(backend: Backend, reference: Backend, job: MatchJob) -> None:
    """The same job gives the same games, in the job's order, each once."""
    (mine,), (theirs,) = play(backend, job).values(), play(reference, job).values()
    assert mine == theirs
    assert [(game.seed, game.rotation) for game in mine] == list(job.games)


def keeps_jobs_apart(backend: Backend, jobs: Callable[[str], MatchJob]) -> None:
    """Two jobs at once are as each of them alone, and a job's name changes no game."""
    both = play(backend, jobs("one"), jobs("two"))
    assert both["one"] == both["two"] == play(backend, jobs("alone"))["alone"]


def drops_in_silence(backend: Backend, jobs: Callable[[str], MatchJob]) -> None:
    """Of a job that was dropped nothing is heard, and another one follows."""
    gone = jobs("gone")
    backend.begin([GameOrder(gone, number) for number in range(len(gone.games))])
    backend.drop("gone")
    assert set(play(backend, jobs("next"))) == {"next"}


def fails_one_job_alone(backend: Backend, bad: MatchJob, jobs: Callable[[str], MatchJob]) -> None:
    """A job that cannot be played is told as such, with words; the next one is played."""
    (failure,) = play(backend, bad).values()
    assert isinstance(failure, JobFailure)
    assert failure.job_id == bad.id
    assert failure.what
    backend.drop(bad.id)  # as the scheduler does
    assert isinstance(play(backend, jobs("after"))["after"], list)
