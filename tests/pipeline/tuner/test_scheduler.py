"""One queue: priorities, fixed order of results, whole jobs, every game kept before it is seen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tuning_bench import CONFIG, strength

from pipeline.referee.schedule import MatchConditions
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.jobs import (
    GameResult,
    JobFailure,
    JobKind,
    JobResult,
    MatchJob,
    Participant,
    PlayConditions,
    SourceKind,
)
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.noise import WINDOW_GAMES, NoiseWatch
from pipeline.tuner.run import LedgerRecords
from pipeline.tuner.scheduler import Scheduler
from schemas.errors import MachineError

PEOPLE = (Participant(SourceKind.WEIGHTS, CONFIG), Participant(SourceKind.WEIGHTS, CONFIG.replace("0.0", "0.5")))


class Memory:
    """Records in memory."""

    def __init__(self) -> None:
        self.games: dict[str, dict[int, GameResult]] = {}
        self.failures: list[JobFailure] = []

    def known(self, job: MatchJob) -> Mapping[int, GameResult]:
        return self.games.get(job.id, {})

    def queued(self, jobs: Sequence[MatchJob]) -> None:
        pass

    def keep(self, games: Sequence[tuple[str, int, GameResult]]) -> None:
        for job, number, game in games:
            self.games.setdefault(job, {})[number] = game

    def keep_failure(self, failure: JobFailure) -> None:
        self.failures.append(failure)


def job(name: str, seeds: int = 10) -> MatchJob:
    return MatchJob(name, JobKind.PROBE, PEOPLE, (0, 1), tuple(range(1, seeds + 1)), PlayConditions())


def test_results_come_in_the_jobs_order_whatever_order_games_end_in() -> None:
    found = []
    for shuffle in (1, 2):
        scheduler = Scheduler(SimulatedBackend(strength, shuffle_seed=shuffle), Memory())
        scheduler.want([job("a"), job("b")])
        assert scheduler.wait_for(["a", "b"], lambda: False)
        result = scheduler.outcome("a")
        assert isinstance(result, JobResult)
        assert [(game.seed, game.rotation) for game in result.games] == list(job("a").games)
        found.append(result.games)
    assert repr(found[0]) == repr(found[1])  # nan is not equal to itself


def test_the_first_job_comes_first_and_cores_that_are_left_play_ahead() -> None:
    memory = Memory()
    scheduler = Scheduler(SimulatedBackend(strength, capacity=8), memory)
    scheduler.want([job("first", 20), job("later", 20)])
    assert scheduler.wait_for(["first"], lambda: False)
    assert 0 < len(memory.games["later"]) < 40
    assert scheduler.outcome("later") is None


def test_what_was_played_is_not_played_again_and_what_nobody_wants_is_dropped() -> None:
    memory, backend = Memory(), SimulatedBackend(strength, capacity=8)
    scheduler = Scheduler(backend, memory)
    scheduler.want([job("a", 4), job("gone", 40), job("a too", 40)])
    assert scheduler.wait_for(["a"], lambda: False)
    assert not scheduler.wait_for(["gone"], lambda: len(memory.games.get("gone", {})) > 5)
    scheduler.want([job("a", 4), job("a too", 40)])
    assert scheduler.wait_for(["a too"], lambda: len(memory.games.get("a too", {})) > 5) is False
    assert not [order for order in backend._under_way if order.job.id == "gone"]
    again = Scheduler(SimulatedBackend(strength), memory)
    again.want([job("a too", 40)])
    before = len(memory.games["a too"])
    assert again.wait_for(["a too"], lambda: False)
    assert again.backend.games == 80 - before > 0  # type: ignore[attr-defined]


def test_games_of_a_job_that_is_another_by_now_are_not_taken_for_its_own(tmp_path: Path) -> None:
    """Longer or shorter it keeps those that it still asks for; with other snakes or conditions none."""
    one, book = job("a"), Ledger(tmp_path / "ledger.db")

    def newly_played(wanted: MatchJob) -> int:
        backend = SimulatedBackend(strength)
        scheduler = Scheduler(backend, LedgerRecords(book, "run"))
        scheduler.want([wanted])
        assert scheduler.wait_for(["a"], lambda: False)
        result = scheduler.outcome("a")
        assert isinstance(result, JobResult)
        assert [(game.seed, game.rotation) for game in result.games] == list(wanted.games)
        kept = book.job("run", "a")
        assert kept == wanted and len(book.games("run", "a")) == len(wanted.games)
        return backend.games

    assert [newly_played(one), newly_played(one)] == [20, 0]
    assert newly_played(replace(one, seeds=one.seeds[:4])) == 0
    assert newly_played(replace(one, seeds=(*one.seeds[:6], 71))) == 6
    assert newly_played(replace(one, seeds=one.seeds[1:5])) == 8
    assert newly_played(replace(one, conditions=PlayConditions(MatchConditions(timeout_ms=900)))) == 20
    assert newly_played(replace(one, participants=PEOPLE[::-1])) == 20
    book.close()


def test_a_job_that_cannot_be_played_fails_once_and_the_others_go_on() -> None:
    refuse = lambda job: JobFailure(job.id, "no", "", "") if job.id == "bad" else None  # noqa: E731
    memory = Memory()
    scheduler = Scheduler(SimulatedBackend(strength, refuse=refuse), memory)
    scheduler.want([job("bad"), job("good")])
    assert scheduler.wait_for(["bad", "good"], lambda: False)
    assert isinstance(scheduler.outcome("bad"), JobFailure)
    assert isinstance(scheduler.outcome("good"), JobResult)
    assert len(memory.failures) == 1


def noisy_games(late: tuple[str, str]) -> list[tuple[MatchJob, GameResult]]:
    game = GameResult(1, (0, 1), (1.0, 0.0), 9, (3, 3), (0, 9), ("", ""), late, (1.0, 1.0), "x")
    return [(job("n"), game)] * WINDOW_GAMES


def test_a_machine_too_busy_to_measure_on_makes_a_pause_that_is_told_and_at_last_an_end() -> None:
    said: list[str] = []
    watch = NoiseWatch(said.append, sleep=lambda _s: None)
    watch.see(noisy_games(("timeout", "")))
    assert not watch.noisy  # one slow snake is that snake's fault
    watch.see(noisy_games(("timeout", "timeout")))
    assert watch.noisy
    watch.pause(lambda: False)
    assert "Pausing for 30 s" in said[0]
    assert not watch.noisy
    with pytest.raises(MachineError, match="6 pauses did not help"):
        for _ in range(6):
            watch.see(noisy_games(("timeout", "timeout")))
            watch.pause(lambda: False)
    assert "Pausing for 600 s" in said[-2]
