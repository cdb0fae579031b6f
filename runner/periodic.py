"""The clock of all periodic work beside the loop: mail, retention, backups, sampling, signs of life.

APScheduler decides when each piece of work is due, with its job store in memory: a restart loses nothing by it, for
every piece says after each turn when it wants the next. Supervised by the daemon's loop: a turn that fails is told
and tried again, the later the more often it has failed in a row; one that hangs is told, and holds up no other.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from runner.clock import Clock
from runner.store import heartbeat
from runner.store.engine import Store
from schemas.errors import StateError
from schemas.outside_text import error_line

BEAT_INTERVAL_S = 300.0
"""How often a piece that does well says so in its row: each time wakes the loop for a whole turn."""
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0
STANDS_AFTER_S = 120.0
"""Work that is overdue by so much although nothing of it is under way: the clock itself stands, and is made anew."""
_NO_TURN_MEANWHILE = IntervalTrigger(days=10_000, timezone=UTC)
_log = logging.getLogger("ouroboros.periodic")
logging.getLogger("apscheduler").setLevel(logging.ERROR)  # one line for each turn of each job would fill any log


class _ThreadForEachTurn(BaseExecutor):  # type: ignore[misc]  # the library has no types
    """A thread that hangs keeps neither another turn from its own nor the process from ending, as a pool's would."""

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        def call() -> None:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # our jobs raise nothing
            self._run_job_success(job.id, events)

        threading.Thread(target=call, name=f"ouroboros-{job.id}", daemon=True).start()


@dataclass
class _Work:
    """One piece, and how it fares."""

    name: str
    turn: Callable[[], float]
    hung_after_s: float
    patience_s: float = 0.0
    due_s: float = 0.0
    began_s: float | None = None
    failures: int = 0
    """In a row."""
    trouble: str = ""
    """Not told of yet."""
    reported_hung: bool = False
    beaten_at_s: float = float("-inf")
    again: bool = False
    stopped: bool = False


class PeriodicWork:
    """Pieces of work, each called again after as many seconds as its last turn asked for."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._work: dict[str, _Work] = {}
        self._lock = threading.RLock()
        self._scheduler: BackgroundScheduler | None = None

    def add(self, name: str, turn: Callable[[], float], hung_after_s: float) -> None:
        """Before `start`.

        Args:
            turn: does what is due now and returns after how many seconds to be called again.
            hung_after_s: a single turn that lasts longer is reported as hung (a thread cannot be ended from outside).
        """
        self._work[name] = _Work(name, turn, hung_after_s)

    def start(self) -> None:
        """Begin, every piece with a turn at once."""
        self._scheduler = self._made()

    def stop(self, timeout_s: float) -> list[str]:
        """Begin no further turn, and wait for those under way; the names of those that still work then."""
        scheduler, self._scheduler = self._scheduler, None
        with self._lock:
            for work in self._work.values():
                work.stopped = True
        if scheduler is not None:
            _put_away(scheduler)
        end_s = self._clock.monotonic_s() + timeout_s
        pause = threading.Event()
        while (left := self._under_way()) and self._clock.monotonic_s() < end_s:
            pause.wait(0.01)
        return left

    def run_now(self, name: str) -> None:
        """The next turn of this piece at once; of one that is under way, once it ends."""
        with self._lock:
            work = self._work[name]
            work.again = work.began_s is not None
            if not work.again:
                self._plan(work, 0.0)

    def follow_clock(self) -> None:
        """The wall clock was set, and APScheduler waits by it: each piece waits for as long as it asked, from now."""
        with self._lock:
            for work in self._work.values():
                if work.began_s is None:
                    self._plan(work, work.patience_s)

    def supervise(self) -> list[tuple[str, str]]:
        """Called by the daemon's loop: which pieces are in trouble, and how, once each."""
        now_s, told = self._clock.monotonic_s(), []
        with self._lock:
            for work in self._work.values():
                if work.trouble:
                    told.append((work.name, work.trouble))
                    work.trouble = ""
                if work.began_s is not None and now_s - work.began_s > work.hung_after_s and not work.reported_hung:
                    work.reported_hung = True
                    told.append((work.name, f"it has been at one turn for {now_s - work.began_s:.0f} s"))
            idle = [work for work in self._work.values() if work.began_s is None and not work.stopped]
            if self._scheduler is not None and any(now_s - work.due_s > STANDS_AFTER_S for work in idle):
                told.append(("periodic work", "its clock stood, and is made anew"))
                _put_away(self._scheduler)
                self._scheduler = self._made()
        return told

    def _made(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": _ThreadForEachTurn()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for work in self._work.values():
            work.due_s = self._clock.monotonic_s()
            scheduler.add_job(
                self._turn, _NO_TURN_MEANWHILE, args=(work,), id=work.name, next_run_time=datetime.now(UTC)
            )
        scheduler.start()
        return scheduler

    def _under_way(self) -> list[str]:
        with self._lock:
            return [work.name for work in self._work.values() if work.began_s is not None]

    def _plan(self, work: _Work, after_s: float) -> None:
        work.patience_s, work.due_s = after_s, self._clock.monotonic_s() + after_s
        if self._scheduler is not None and not work.stopped:
            self._scheduler.modify_job(work.name, next_run_time=datetime.now(UTC) + timedelta(seconds=after_s))

    def _turn(self, work: _Work) -> None:
        with self._lock:
            if work.stopped or work.began_s is not None:
                return
            work.began_s = self._clock.monotonic_s()
        try:
            after_s = work.turn()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told, and the work is tried again
            after_s = min(FIRST_RETRY_S * 2.0 ** min(work.failures, 30), LONGEST_RETRY_S)
            work.failures += 1
            work.trouble = f"it failed and is tried again in {after_s:.0f} s: {error_line(error)}"
            _log.exception("The work %s failed", work.name)
        else:
            work.failures = 0
            self._beat(work)
        with self._lock:
            work.began_s, work.reported_hung = None, False
            after_s, work.again = (0.0 if work.again else after_s), False
            self._plan(work, after_s)

    def _beat(self, work: _Work) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - work.beaten_at_s < BEAT_INTERVAL_S:
            return
        work.beaten_at_s = now_s
        try:
            with self._store.write() as session:
                heartbeat.loop_beat(session, work.name, self._clock.now())
        except StateError as error:
            _log.warning("The work %s could not give its sign of life: %s", work.name, error)


def _put_away(scheduler: BackgroundScheduler) -> None:
    with suppress(SchedulerNotRunningError):  # it ended by itself, which is why it is put away
        scheduler.shutdown(wait=False)
