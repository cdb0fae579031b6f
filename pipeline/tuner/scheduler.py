"""One queue for all games: jobs of every kind in the order of their importance, as many games under way as pay.

A job's games come back in the job's order, whoever finished first, and a job is finished only as a whole: what is cut
off are whole jobs that nobody will look at, so that long games count exactly as much as short ones. Every game is in
the ledger before anybody sees it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.tuner.backends import Backend, GameOrder, PlayedGame
from pipeline.tuner.jobs import GameResult, JobFailure, JobResult, MatchJob

POLL_S = 0.1
JobOutcome = JobResult | JobFailure


class GameRecords(Protocol):
    """Where finished games are kept: the ledger, or nowhere."""

    def known(self, job: MatchJob) -> Mapping[int, GameResult]:
        """Games of this job that were played before, by number."""
        ...

    def queued(self, jobs: Sequence[MatchJob]) -> None:
        """These jobs are about to be played."""
        ...

    def keep(self, games: Sequence[tuple[str, int, GameResult]]) -> None:
        """Commit games before they count: job, number in it, result."""
        ...

    def keep_failure(self, failure: JobFailure) -> None:
        """Commit that a job cannot be played."""
        ...


@dataclass
class _Queued:
    job: MatchJob
    games: dict[int, GameResult]
    waiting: list[int]
    """Numbers of games that were not begun, in reverse order."""
    failure: JobFailure | None = None

    @property
    def outcome(self) -> JobOutcome | None:
        if self.failure is not None:
            return self.failure
        if len(self.games) < len(self.job.games):
            return None
        return JobResult(self.job.id, tuple(self.games[number] for number in range(len(self.games))))


@dataclass
class Scheduler:
    """Plays what is wanted.

    Args:
        backend: who plays; closed by whoever made it.
        records: where games are kept.
        on_games: told of every batch of finished games, after they were kept; for progress and for counting faults.
    """

    backend: Backend
    records: GameRecords
    on_games: Sequence[Callable[[Sequence[tuple[MatchJob, GameResult]]], None]] = ()
    _queue: dict[str, _Queued] = field(default_factory=dict)
    """By job id, the most important first."""
    _under_way: set[tuple[str, int]] = field(default_factory=set)

    def want(self, jobs: Sequence[MatchJob]) -> None:
        """From now on exactly these jobs are wanted, the first ones first; all others are dropped.

        A job that was wanted before goes on with the games that it has; so does one that `records` knows of.
        """
        wanted = {job.id: job for job in jobs}
        for gone in [job_id for job_id in self._queue if job_id not in wanted]:
            self._forget(gone)
        fresh = [job for job in jobs if job.id not in self._queue]
        if fresh:
            self.records.queued(fresh)
        self._queue = {job.id: self._queue.get(job.id) or self._queued(job) for job in jobs}

    def outcome(self, job_id: str) -> JobOutcome | None:
        """What came of a wanted job; None: it is not finished."""
        queued = self._queue.get(job_id)
        return queued.outcome if queued else None

    def wait_for(self, job_ids: Iterable[str], stop: Callable[[], bool]) -> bool:
        """Play until these jobs are finished (True), or until `stop` says so (False; all that has ended is kept).

        Raises:
            MachineError, EvaluationError: the backend cannot go on.
        """
        ids = list(job_ids)
        while any(self.outcome(job_id) is None for job_id in ids):
            if stop():
                return False
            self._fill()
            self._take(self.backend.finished(POLL_S))
        return True

    def _queued(self, job: MatchJob) -> _Queued:
        known = {number: game for number, game in self.records.known(job).items() if number < len(job.games)}
        return _Queued(job, known, _missing(job, known))

    def _fill(self) -> None:
        room = self.backend.capacity - len(self._under_way)
        orders = []
        for queued in self._queue.values():
            while room > 0 and queued.waiting and queued.failure is None:
                number = queued.waiting.pop()
                orders.append(GameOrder(queued.job, number))
                self._under_way.add((queued.job.id, number))
                room -= 1
        if orders:
            self.backend.begin(orders)

    def _take(self, ended: Sequence[PlayedGame]) -> None:
        games = []
        for played in ended:
            self._under_way.discard((played.job_id, played.number))
            queued = self._queue.get(played.job_id)
            if queued is None:
                continue
            if isinstance(played.result, JobFailure):
                if queued.failure is None:
                    self.records.keep_failure(played.result)
                    queued.failure = played.result
                    self._drop_games(played.job_id)
            else:
                games.append((played.job_id, played.number, played.result))
        if not games:
            return
        self.records.keep(games)
        for job_id, number, game in games:
            self._queue[job_id].games[number] = game
        fresh = [(self._queue[job_id].job, game) for job_id, _, game in games]
        for told in self.on_games:
            told(fresh)

    def _forget(self, job_id: str) -> None:
        del self._queue[job_id]
        self._drop_games(job_id)

    def _drop_games(self, job_id: str) -> None:
        under_way = {key for key in self._under_way if key[0] == job_id}
        if under_way:
            self.backend.drop(job_id)
            self._under_way -= under_way


def _missing(job: MatchJob, games: Mapping[int, GameResult]) -> list[int]:
    return [number for number in reversed(range(len(job.games))) if number not in games]
