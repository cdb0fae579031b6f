"""Start what waits, if the machine and the policies allow it; else keep the reason in a row.

The order of a launch is what makes it crash-safe: the intent is committed first (occurrence running, execution
starting), then the run folder and the process are made, then the process is known by name. Whoever recovers from a
kill between two of these finds an execution that is `starting` and finishes or adopts it through its folder.
"""

import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, count
from pathlib import Path

from sqlalchemy.orm import Session

from runner.flow.runtime import Runtime
from runner.flow.watch import WatchRuns
from runner.guards import rules
from runner.guards.probe import Probe
from runner.guards.worker_choice import WorkerChoice
from runner.notify import messages
from runner.store import decisions, heartbeat, history, queue, schedules
from runner.store.history import ExecutionRecord
from runner.worker.jobs import installed_workers
from runner.worker.launch import Launcher
from schemas.automation import OverlapPolicy, TriggerType
from schemas.errors import StateError, WorkerError
from schemas.execution import Decision, DecisionKind, QueuedRun, RunRequest
from schemas.machine import GuardDecision, ResourceSnapshot
from schemas.outside_text import error_line

PAGE = 20
LOOK_AT_MOST = 500
"""How many of the waiting runs are looked at in a turn, a page at a time, until one starts: those that must wait for a
GPU hold up no other."""
FOR_ALL = frozenset({"slots", "hours", "battery", "thermal", "warming_up"})
"""Refusals that would meet every other run too (emergencies, which the hours do not hold back, are looked at first)."""
ONE_AT_A_TIME = frozenset({"pipeline", "tuner"})
"""Workers of which only one runs at a time: they share the GPU, or their state folder. Those of the user's own may
run side by side, as far as there are slots."""
BY_HAND = frozenset({TriggerType.MANUAL, TriggerType.EMERGENCY})
"""A person or a file asked for it: the pause of its schedule does not hold it back."""
TRAINS_ON_STORED_GAMES = frozenset({"pipeline"})
"""Workers for which `min_data_threshold` means anything; the Go-weight tuner plays its own games."""
_log = logging.getLogger("ouroboros.launch")


@dataclass(frozen=True, slots=True)
class LaunchVerdict:
    """Whether a run starts now."""

    choice: WorkerChoice
    wait: Decision | None
    """None: it starts."""
    allowed_because: str = ""


class LaunchRuns:
    """Looks at the head of the queue; keeps only what it last said of each run, to say it no more often than asked."""

    def __init__(self, runtime: Runtime, launcher: Launcher, watch: WatchRuns, probe: Probe) -> None:
        self._runtime = runtime
        self._launcher = launcher
        self._watch = watch
        self._probe = probe
        self._refused: dict[int, GuardDecision] = {}
        self._said: dict[int, tuple[str, float]] = {}
        self.head: tuple[QueuedRun, Decision] | None = None
        """The first of the waiting runs and why it waits, as of the last look; None: nothing waits, or it started."""

    def __call__(self, now: datetime) -> None:
        """Start what may start."""
        if self._watch.shutting_down or self._runtime.idle.nothing_new:
            return
        with self._runtime.store.read() as session:
            waiting, rows = queue.waiting_page(session, now, PAGE, 0)
            daemon = heartbeat.get(session)
        self.head = None
        if not rows:
            self._forget_all_but([])
            return
        if daemon is not None and daemon.paused:
            note = f": {daemon.paused_note}" if daemon.paused_note else ""
            self._keep_waiting([(run, _wait("paused", f"the daemon is paused{note}")) for run in waiting], now)
            return
        own = [watched.handle.identity.pid for watched in self._watch.runs.values()]
        snapshot = self._probe.snapshot(now, own)
        seen: list[QueuedRun] = []
        offset = 0
        while rows:
            seen += waiting
            offset += rows
            goes_on = self._judge_page(waiting, snapshot, now)
            if not goes_on or len(seen) >= LOOK_AT_MOST:
                break
            with self._runtime.store.read() as session:
                waiting, rows = queue.waiting_page(session, now, PAGE, offset)
        self._forget_all_but(seen)

    def _judge_page(self, waiting: Sequence[QueuedRun], snapshot: ResourceSnapshot, now: datetime) -> bool:
        """Start or keep waiting each of them; True if none started and another one behind them might."""
        with self._runtime.store.read() as session:
            paused = schedules.pause_notes(session, {run.schedule_name for run in waiting})
        refusals, started = [], False
        for run in waiting:
            wait = self._judge_alone(run, paused.get(run.schedule_name), snapshot, now)
            if wait is not None:
                refusals.append((run, wait))
            else:
                started = True
        self._keep_waiting(refusals, now)
        return not started and all(wait.code not in FOR_ALL for _, wait in refusals)

    def _judge_alone(
        self, run: QueuedRun, paused: str | None, snapshot: ResourceSnapshot, now: datetime
    ) -> Decision | None:
        """Start it, or say why it waits; one that can be neither judged nor written down holds up no other."""
        try:
            verdict = self._judge(run, paused, snapshot, now)
            if verdict.wait is None:
                self._start(run, verdict, now)
        except StateError:
            raise  # of the database, not of this run
        except Exception as error:  # noqa: BLE001 - its reason tells, until its start deadline
            _log.exception("Occurrence %s of %s cannot be started", run.occurrence_id, run.schedule_name)
            return _wait("cannot_start", f"it cannot be started: {error_line(error)}")
        return verdict.wait

    def _judge(self, run: QueuedRun, paused: str | None, snapshot: ResourceSnapshot, now: datetime) -> LaunchVerdict:
        device = run.schedule.training_config.device
        choice = self._probe.choose(snapshot, installed_workers(), run.schedule.worker, device)
        wait = _pause(run, paused) or self._crowd(run, choice) or self._data(run, choice)
        if wait is not None:
            return LaunchVerdict(choice, wait)
        in_the_way = [other for other in self._watch.under_way if other.schedule_name == run.schedule_name]
        needs = run.schedule.resource_requirements
        if in_the_way:  # its CPU use and its GPU come free with it: they must not keep it from being stopped
            needs = needs.model_copy(update={"max_cpu_usage_percent": 100.0, "max_load_per_core": None})
        guard = rules.decide(
            needs,
            self._runtime.settings.guards,
            snapshot,
            needs_gpu=choice.needs_gpu and not in_the_way,
            pending=choice.pending,
            emergency=run.trigger_type is TriggerType.EMERGENCY,
            previous=self._refused.get(run.occurrence_id),
            now=now,
        )
        if not guard.allowed:
            self._refused[run.occurrence_id] = guard
            return LaunchVerdict(choice, _wait(guard.code, guard.reason))
        for other in in_the_way:  # only now: what runs is not given up for a run that may not start
            self._watch.cancel_occurrence(other.occurrence_id)
            reason = f"run {other.execution_id} of the same schedule is being stopped for it"
            return LaunchVerdict(choice, _wait("cancelling", reason))
        return LaunchVerdict(choice, None, guard.reason)

    def _crowd(self, run: QueuedRun, choice: WorkerChoice) -> Decision | None:
        """What other runs under way mean for this one; under cancel_running, those of its own schedule mean nothing."""
        others = self._watch.under_way
        if run.schedule.overlap is OverlapPolicy.CANCEL_RUNNING:
            others = [other for other in others if other.schedule_name != run.schedule_name]
        for other in others:
            if other.schedule_name == run.schedule_name:
                return _wait("same_schedule", f"run {other.execution_id} of the same schedule is under way")
        for other in others:
            if other.worker == choice.worker and other.worker in ONE_AT_A_TIME:
                return _wait("worker_busy", f"run {other.execution_id} ({other.schedule_name}) uses the {other.worker}")
        slots = self._runtime.settings.scheduler.slots
        if len(others) >= slots:
            names = ", ".join(other.schedule_name for other in others)
            return _wait("slots", f"{len(others)} of {slots} slots are taken, by {names}")
        return None

    def _data(self, run: QueuedRun, choice: WorkerChoice) -> Decision | None:
        """Whether enough new games have arrived, for workers that learn from them."""
        needed = run.schedule.min_data_threshold
        asked = run.trigger_type is TriggerType.SCHEDULED and choice.worker in TRAINS_ON_STORED_GAMES
        if not asked or needed == 0:
            return None
        with self._runtime.store.read() as session:
            new_games = history.new_games_since_success(session, run.schedule_name)
        if new_games is None or new_games >= needed:
            return None
        return _wait("data", f"{new_games} of {needed} new games since its last successful run")

    def _start(self, run: QueuedRun, verdict: LaunchVerdict, now: datetime) -> None:
        choice = verdict.choice
        seed = run.schedule.seed if run.schedule.seed is not None else secrets.randbits(63)
        runs_dir = self._runtime.settings.runs_dir.absolute()
        reason = f"{choice.worker}: {choice.reason.rstrip('.')}; {verdict.allowed_because}"
        launch = Decision(kind=DecisionKind.LAUNCH, code=choice.worker, reason=reason)
        with self._runtime.store.write() as session:
            execution_id = queue.begin(
                session,
                run.occurrence_id,
                now,
                worker=choice.worker,
                worker_reason=choice.reason,
                seed=seed,
                run_dir=lambda number: _run_dir(runs_dir, number),
            )
            if execution_id is None:
                return  # cancelled or taken between the look and this transaction
            decisions.record(session, run.occurrence_id, run.schedule_name, launch, now)
            # Read here: from the commit on nothing may fail before this run is in the watch's hands.
            execution = history.get(session, execution_id)
            assert execution is not None, f"execution {execution_id} was inserted a moment ago"
            self._runtime.reach("launch.intending")
        self._runtime.reach("launch.intended")
        self._make_process(run, execution, now)

    def _make_process(self, run: QueuedRun, execution: ExecutionRecord, now: datetime) -> None:
        try:
            request = self._request(run, execution, now)
            handle = self._launcher.launch(request, execution.run_dir, self._runtime.clock.monotonic_s())
        except Exception as error:  # noqa: BLE001 - as below
            # The intent stands in the history: whatever kept the worker from starting, it ends there as a failed run.
            foreseen = isinstance(error, WorkerError | OSError)
            if not foreseen:
                _log.exception("Run %s cannot be launched", execution.execution_id)
            self._watch.finish_unlaunched(execution, run.schedule, str(error) if foreseen else error_line(error), now)
            return
        self._runtime.reach("launch.spawned")
        self._watch.add(execution, run.schedule, handle)
        _log.info("Run %s of %s started: %s", execution.execution_id, run.schedule_name, execution.worker)

    def _request(self, run: QueuedRun, execution: ExecutionRecord, now: datetime) -> RunRequest:
        return RunRequest(
            execution_id=execution.execution_id,
            schedule_name=run.schedule_name,
            trigger_type=run.trigger_type,
            scheduled_for=run.scheduled_for,
            attempt=run.attempt,
            worker=execution.worker,
            worker_reason=execution.worker_reason,
            training_config=run.schedule.training_config,
            deadline=now + timedelta(hours=run.schedule.max_duration_hours),
            seed=execution.seed,
            settings=self._runtime.settings.located(),
        )

    def _keep_waiting(self, refusals: Sequence[tuple[QueuedRun, Decision]], now: datetime) -> None:
        if refusals and self.head is None:
            self.head = refusals[0]
        clock_s = self._runtime.clock.monotonic_s()
        news = [(run, wait) for run, wait in refusals if self._is_news(run, wait, clock_s)]
        if not news:
            return
        with self._runtime.store.write() as session:
            for run, wait in news:
                queue.defer(session, run.occurrence_id, wait.reason, run.not_before)
                decisions.record(session, run.occurrence_id, run.schedule_name, wait, now)
                self._tell_of_long_wait(session, run, wait, now)
        self._said.update({run.occurrence_id: (wait.code, clock_s) for run, wait in news})

    def _is_news(self, run: QueuedRun, wait: Decision, clock_s: float) -> bool:
        code, said_at_s = self._said.get(run.occurrence_id, ("", 0.0))
        return wait.code != code or clock_s - said_at_s >= self._runtime.settings.guards.retry_interval_s

    def _tell_of_long_wait(self, session: Session, run: QueuedRun, wait: Decision, now: datetime) -> None:
        settings = self._runtime.settings.notifications
        if now - run.scheduled_for < timedelta(hours=settings.deferral_alert_hours):
            return
        message = messages.run_deferred(run.occurrence_id, run.schedule, run.scheduled_for, wait.reason, settings, now)
        self._runtime.notifier.put(session, message, now)

    def _forget_all_but(self, waiting: Sequence[QueuedRun]) -> None:
        known = {run.occurrence_id for run in waiting}
        self._refused = {number: said for number, said in self._refused.items() if number in known}
        self._said = {number: said for number, said in self._said.items() if number in known}


def _pause(run: QueuedRun, note: str | None) -> Decision | None:
    if note is None or run.trigger_type in BY_HAND:
        return None
    return _wait("schedule_paused", f"its schedule is paused{': ' if note else ''}{note}")


def _wait(code: str, reason: str) -> Decision:
    return Decision(kind=DecisionKind.WAIT, code=code, reason=reason)


def _run_dir(runs_dir: Path, execution_id: int) -> Path:
    """A folder that nobody has used: a database that was restored or begun anew counts from an old number again, and
    what an earlier run left in its folder must never be taken for this one's result."""
    name = f"{execution_id:08d}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(runs_dir / free for free in names if not os.path.lexists(runs_dir / free))
