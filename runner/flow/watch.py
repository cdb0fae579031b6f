"""Watch the runs: keep their progress, stop those that must end, finish those that have ended (`finish`)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from runner.flow.enqueue import NO_CRON
from runner.flow.finish import FinishRun
from runner.flow.runtime import Runtime
from runner.outcome import RunFacts
from runner.store import history, occurrences, queue
from runner.store.history import ExecutionRecord
from runner.worker.launch import Launcher, WorkerHandle
from runner.worker.observation import Observation, Phase
from runner.worker.process_tree import Orphans
from runner.worker.resource_usage import lifetime_s
from runner.worker.stopping import StopReason, StopStep, StopUnderWay, follow, next_step, why_stop
from schemas.automation import TrainingSchedule
from schemas.errors import OuroborosError
from schemas.model import PipelineState
from schemas.outside_text import error_line

PROGRESS_INTERVAL_S = 5.0
"""The history takes a run's state this often; the run folder has it four times a second."""
PLOT_POINTS = 200
_log = logging.getLogger("ouroboros.watch")


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run under way, as this daemon knows it."""

    execution: ExecutionRecord
    schedule: TrainingSchedule
    handle: WorkerHandle
    deadline_s: float
    """Of the monotonic clock, so that a step of the wall clock neither ends a run nor prolongs it."""
    stopping: StopUnderWay | None = None
    known: bool = False
    """The history tells that it runs, and by which process."""
    cancelled: bool = False
    state: PipelineState | None = None
    """The last one seen."""
    kept: PipelineState | None = None
    """The last one that the history has."""
    kept_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class UndecidedRun:
    """Recorded as begun, and what became of it could not be found out or written down yet."""

    execution: ExecutionRecord
    schedule: TrainingSchedule
    launch_problem: str = ""
    """Why there is no worker; empty: there may be one."""
    machine_gone: str = ""
    """Where it ran, if not on this machine."""


class WatchRuns:
    """Holds the runs under way; everything it holds can be rebuilt from the history and the run folders."""

    def __init__(self, runtime: Runtime, launcher: Launcher) -> None:
        self._runtime = runtime
        self._launcher = launcher
        self._finish = FinishRun(runtime)
        self._runs: dict[int, WatchedRun] = {}
        self._undecided: dict[int, UndecidedRun] = {}
        self._orphans = Orphans()
        self.shutting_down = False
        self.listener: Callable[[ExecutionRecord, PipelineState], None] | None = None
        """Told of every new state: the progress line."""

    @property
    def runs(self) -> Mapping[int, WatchedRun]:
        """The runs under way, by execution id."""
        return self._runs

    @property
    def under_way(self) -> list[ExecutionRecord]:
        """All that take a slot: the runs, and those whose fate could not be found out or written down yet."""
        runs = [run.execution for run in self._runs.values()]
        return [*runs, *(run.execution for number, run in self._undecided.items() if number not in self._runs)]

    def take_over(self, now: datetime, machine_gone: str = "") -> list[str]:
        """Account for every run that an earlier daemon left unfinished: adopt it, or finish it. Says what was done.
        What it interrupted in good order gets its time to start again.

        Args:
            machine_gone: where that daemon was, if not here: workers whose folders are not here can be neither seen nor
                adopted.
        """
        with self._runtime.store.read() as session:
            left = [(record, _schedule_of(session, record)) for record in history.unfinished(session)]
        said = []
        for record, schedule in left:
            try:
                said.append(self._take_over(UndecidedRun(record, schedule, machine_gone=machine_gone), now))
            except Exception as error:  # noqa: BLE001 - a full disk, a damaged row: the daemon serves all the same, and tries again
                self._undecided[record.execution_id] = UndecidedRun(record, schedule, machine_gone=machine_gone)
                why = error if isinstance(error, OuroborosError) else error_line(error)
                said.append(f"run {record.execution_id} of {record.schedule_name} cannot be judged yet: {why}")
        with self._runtime.store.write() as session:
            queue.renew_start_deadlines(session, now)
        return said

    def add(self, execution: ExecutionRecord, schedule: TrainingSchedule, handle: WorkerHandle) -> None:
        """Watch a run that was just launched, and write down that it runs; where that fails now, at a later turn.

        Raises:
            StateError: it is watched, and not written down yet.
        """
        deadline_s = self._runtime.clock.monotonic_s() + schedule.max_duration_hours * 3600
        run = WatchedRun(execution, schedule, handle, deadline_s)
        self._runs[execution.execution_id] = run
        self._runs[execution.execution_id] = self._made_known(run)

    def cancel_occurrence(self, occurrence_id: int) -> bool:
        """Stop the run of an occurrence; False if none is under way.

        The request goes into the run folder at once, so that a daemon that dies now leaves it to the next one.
        """
        for execution_id, run in self._runs.items():
            if run.execution.occurrence_id == occurrence_id:
                if not run.cancelled:
                    self._launcher.request_stop(run.handle, StopReason.CANCEL)
                self._runs[execution_id] = replace(run, cancelled=True)
                return True
        return False

    def __call__(self, now: datetime) -> None:
        """Look at every run once. One that cannot be dealt with holds up no other."""
        children = [run.handle.identity.pid for run in self._runs.values() if run.handle.ours]
        self._orphans.reap(children, self._runtime.clock.monotonic_s())
        problems: list[Exception] = []
        for execution_id in list(self._undecided):
            try:
                _log.info("Decided: %s", self._take_over(self._undecided[execution_id], now))
                del self._undecided[execution_id]
            except Exception as error:  # noqa: BLE001 - raised below, once the others have had their turn
                problems.append(error)
        for execution_id in list(self._runs):
            try:
                self._look_at(execution_id, now)
            except Exception as error:  # noqa: BLE001 - as above
                problems.append(error)
        if problems:
            raise problems[0]

    def leave(self) -> None:
        """Watch no more: living workers go on, for the next daemon to adopt."""
        for run in self._runs.values():
            self._launcher.release(run.handle)
        self._runs.clear()

    def give_up(self) -> None:
        """Another machine's daemon leads now and counts these runs as lost: they end, as nobody takes their results."""
        for run in self._runs.values():
            self._launcher.kill(run.handle, StopReason.CANCEL)
        self.leave()

    def finish_unlaunched(
        self, execution: ExecutionRecord, schedule: TrainingSchedule, problem: str, now: datetime
    ) -> None:
        """Finish a run whose worker could not be started; where that cannot be written down now, at a later turn.

        Raises:
            StateError: it was left to a later turn.
        """
        run = UndecidedRun(execution, schedule, problem)
        self._undecided[execution.execution_id] = run
        self._finish_unlaunched(run, now)
        del self._undecided[execution.execution_id]

    def _finish_unlaunched(self, run: UndecidedRun, now: datetime) -> None:
        execution = run.execution
        facts = RunFacts(run.schedule, execution.scheduled_for, execution.attempt, launch_problem=run.launch_problem)
        self._finish(execution, run.schedule, self._launcher.inspect(execution.run_dir), facts, now)

    def _look_at(self, execution_id: int, now: datetime) -> None:
        run = self._runs[execution_id]
        seen = self._launcher.observe(run.handle, self._runtime.clock.monotonic_s())
        if not seen.ended:
            # First what needs no database: a locked one must not let a run go on past its time.
            run = self._runs[execution_id] = self._end_if_needed(self._shown(run, seen), seen)
            run = self._runs[execution_id] = self._made_known(run)
            self._runs[execution_id] = self._keep_progress(run, now)
            return
        self._finish(run.execution, run.schedule, seen, self._facts(run), now)
        self._launcher.release(run.handle)
        del self._runs[execution_id]

    def _take_over(self, run: UndecidedRun, now: datetime) -> str:
        execution, schedule = run.execution, run.schedule
        label = f"run {execution.execution_id} of {execution.schedule_name}"
        if run.launch_problem:
            self._finish_unlaunched(run, now)
            return f"{label} could not be started"
        if run.machine_gone and not execution.run_dir.exists():
            self._finish_out_of_sight(run, now)
            return f"{label} was on {run.machine_gone}, out of sight; it is counted as lost there"
        clock_s = self._runtime.clock.monotonic_s()
        found = self._launcher.recover(execution.run_dir, clock_s)
        if found.handle is not None:
            self._adopt(execution, schedule, found.handle, clock_s)
            return f"{label} goes on, adopted"
        facts = RunFacts(
            schedule,
            execution.scheduled_for,
            execution.attempt,
            never_began=found.never_began,
            last_state=execution.state,
        )
        self._finish(execution, schedule, found.seen, facts, now)
        if found.never_began:
            return f"{label} had not begun; it is queued again"
        return f"{label} had ended meanwhile; its folder tells how"

    def _finish_out_of_sight(self, run: UndecidedRun, now: datetime) -> None:
        """Nobody here can tell what became of it, or end it; whatever it still brings is not taken."""
        execution = run.execution
        facts = RunFacts(
            run.schedule,
            execution.scheduled_for,
            execution.attempt,
            machine_gone=run.machine_gone,
            last_state=execution.state,
        )
        self._finish(execution, run.schedule, Observation(phase=Phase.GONE), facts, now)

    def _adopt(
        self, execution: ExecutionRecord, schedule: TrainingSchedule, handle: WorkerHandle, clock_s: float
    ) -> None:
        left_s = schedule.max_duration_hours * 3600 - lifetime_s(handle.root)
        run = WatchedRun(execution, schedule, handle, clock_s + left_s)
        self._runs[execution.execution_id] = run
        self._runs[execution.execution_id] = self._made_known(run)

    def _made_known(self, run: WatchedRun) -> WatchedRun:
        if run.known:
            return run
        with self._runtime.store.write() as session:
            history.mark_running(session, run.execution.execution_id, run.handle.identity)
        self._runtime.reach("launch.known")
        return replace(run, known=True)

    def _shown(self, run: WatchedRun, seen: Observation) -> WatchedRun:
        if seen.state is None or seen.state == run.state:
            return run
        if self.listener is not None:
            self.listener(run.execution, seen.state)
        return replace(run, state=seen.state)

    def _keep_progress(self, run: WatchedRun, now: datetime) -> WatchedRun:
        clock_s = self._runtime.clock.monotonic_s()
        if run.state is None or run.state is run.kept or clock_s - run.kept_at_s < PROGRESS_INTERVAL_S:
            return run
        with self._runtime.store.write() as session:
            history.progress(session, run.execution.execution_id, run.state, now)
        return replace(run, kept=run.state, kept_at_s=clock_s)

    def _end_if_needed(self, run: WatchedRun, seen: Observation) -> WatchedRun:
        settings, clock_s = self._runtime.settings, self._runtime.clock.monotonic_s()
        reason = why_stop(
            heartbeat_age_s=seen.heartbeat_age_s,
            over_memory_limit=seen.over_memory_limit,
            past_deadline=clock_s > run.deadline_s,
            cancelled=run.cancelled or seen.stop_reason is StopReason.CANCEL,
            shutting_down=self.shutting_down,
            settings=settings.workers,
        )
        stopping = follow(run.stopping, reason, clock_s)
        if stopping is None:
            return run
        step = next_step(stopping, clock_s, settings.workers, settings.scheduler)
        self._take(step, run.handle, stopping.reason)
        return replace(run, stopping=stopping.after(step, clock_s))

    def _take(self, step: StopStep, handle: WorkerHandle, reason: StopReason) -> None:
        if step is StopStep.SOFT:
            self._launcher.request_stop(handle, reason)
        elif step is StopStep.TERM:
            self._launcher.terminate(handle, reason)
        elif step is StopStep.KILL:
            self._launcher.kill(handle, reason)
        if step is not StopStep.NOTHING:
            _log.info("Ending %s: %s (%s)", handle.run_dir.path.name, step.value, reason.value)

    def _facts(self, run: WatchedRun) -> RunFacts:
        return RunFacts(
            run.schedule,
            run.execution.scheduled_for,
            run.execution.attempt,
            stop_reason=run.stopping.reason if run.stopping else None,
            last_state=run.state,
        )


def _schedule_of(session: Session, execution: ExecutionRecord) -> TrainingSchedule:
    schedule = occurrences.definition(session, execution.occurrence_id)
    if schedule is not None:
        return schedule
    # Its row was damaged. It is finished all the same, by the defaults, and not retried.
    _log.error("The schedule recorded with run %s cannot be read", execution.execution_id)
    return TrainingSchedule(name=execution.schedule_name, cron_expression=NO_CRON, retry_on_failure=False)
