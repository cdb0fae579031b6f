"""What became of an execution, and whether it is tried again. Pure: facts in, a decision out."""

import hashlib
import signal
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.worker.observation import Observation, Phase
from runner.worker.run_folder import WorkerExit
from runner.worker.stopping import StopReason
from schemas.automation import TrainingSchedule
from schemas.execution import FailureClass, Outcome, RunFailure, RunResult
from schemas.model import PipelineState, PipelineStatus

_RESOURCE_PATIENCE = 4.0
"""Memory or disk is seldom free again within a minute: such a failure waits this many times longer."""
_JITTER = 0.2
"""A delay is shortened by up to this share, so that runs which failed together do not come back together."""

_MAY_BE_MEMORY = (FailureClass.ERROR, FailureClass.CRASH, FailureClass.RESOURCE)
_EXITS: dict[int, tuple[FailureClass, str]] = {
    WorkerExit.NO_RESULT: (
        FailureClass.RESOURCE,
        "The worker could not write its result, which its log holds; free disk space.",
    ),
    WorkerExit.NO_CLAIM: (
        FailureClass.RESOURCE,
        "The worker could not write into its run folder and did nothing; free disk space.",
    ),
    WorkerExit.CLAIM_LOST: (FailureClass.CRASH, "The worker found its run taken by somebody else and did nothing."),
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the daemon knows of an execution from its own tables."""

    schedule: TrainingSchedule
    """As recorded with the occurrence."""
    scheduled_for: datetime
    attempt: int
    """1 is the first."""
    stop_reason: StopReason | None = None
    """Why the daemon ended the run; None: it did not."""
    never_began: bool = False
    """The claim was revoked before a worker had it: the daemon died between the intent and the start."""
    launch_problem: str = ""
    """Why no worker could be started."""
    machine_gone: str = ""
    """The machine where it ran, whose daemon leads no more: what it is at there cannot be seen from here."""
    last_state: PipelineState | None = None
    """The state last seen, for a run folder that has none left."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Back to the queue."""

    at: datetime
    attempt: int
    """Number of the next execution; unchanged where this one does not count against `max_retries`."""
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """This was the last execution of its occurrence."""

    reason: str


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How an execution ended and what comes next."""

    outcome: Outcome
    success: bool
    state: PipelineState
    """Last state, with the failure in it; always there."""
    failure: RunFailure | None
    following: Retry | GiveUp | None
    """None after a success."""


def decide(facts: RunFacts, seen: Observation, now: datetime) -> RunOutcome:
    """How an execution ended whose worker is gone (or never began), and what comes next.

    A readable result is believed before anything else: it was written as the worker's last act, so a worker that was
    told to stop and finished in that very moment has finished. Without one, the stop tells, then the exit.
    A run for which no worker could be started has written nothing: whatever its folder holds is another's.
    """
    if facts.launch_problem:
        seen = Observation(phase=Phase.GONE)
    outcome, failure = _verdict(facts, seen)
    failure = _with_memory_told(failure, seen)
    state = (seen.result.state if seen.result else seen.state) or facts.last_state or PipelineState()
    if outcome is Outcome.SUCCEEDED:
        return RunOutcome(outcome, True, state, None, None)
    if failure is not None:
        state = state.model_copy(update={"status": PipelineStatus.ERROR, "last_error": failure.message})
    elif outcome is Outcome.CANCELLED:
        state = state.model_copy(update={"status": PipelineStatus.PAUSED})
    return RunOutcome(outcome, False, state, failure, _following(facts, seen, outcome, failure, now))


def retry_delay_s(schedule: TrainingSchedule, scheduled_for: datetime, attempt: int, kind: FailureClass) -> float:
    """Seconds before the execution after `attempt`: doubled each time, at most `retry_backoff_max_s`, with a jitter
    fixed by schedule, scheduled time and attempt, so that deciding twice gives the same answer."""
    base_s = schedule.retry_backoff_s * (_RESOURCE_PATIENCE if kind is FailureClass.RESOURCE else 1.0)
    doubled_s = base_s * 2.0 ** min(attempt - 1, 64)
    key = f"{schedule.name}\0{scheduled_for.isoformat()}\0{attempt}".encode()
    share = int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2.0**64
    return min(doubled_s, schedule.retry_backoff_max_s) * (1.0 - _JITTER * share)


def _verdict(facts: RunFacts, seen: Observation) -> tuple[Outcome, RunFailure | None]:
    if facts.launch_problem:
        return Outcome.FAILED, _failure(FailureClass.RESOURCE, facts.launch_problem)
    stop = facts.stop_reason or seen.stop_reason
    if seen.result is not None:
        return _by_result(seen.result, stop, facts, seen)
    if stop is StopReason.CANCEL:
        return Outcome.CANCELLED, None
    if facts.machine_gone or facts.never_began:
        there = f"It ran on {facts.machine_gone}, whose daemon leads no more; what became of it cannot be seen here."
        nothing = "The daemon ended before the worker began; nothing was done."
        return Outcome.LOST, _failure(FailureClass.CRASH, there if facts.machine_gone else nothing)
    if stop is not None:
        return _by_stop(stop, facts, seen)
    return _by_exit(seen)


def _by_result(
    result: RunResult, stop: StopReason | None, facts: RunFacts, seen: Observation
) -> tuple[Outcome, RunFailure | None]:
    if result.outcome is Outcome.SUCCEEDED:
        return Outcome.SUCCEEDED, None
    if result.outcome is Outcome.CANCELLED:
        return (Outcome.CANCELLED, result.failure) if stop is None else _by_stop(stop, facts, seen)
    if stop is StopReason.CANCEL:  # a job may well fail because it is being stopped, and nobody waits for it any more
        return Outcome.CANCELLED, result.failure
    if stop in (StopReason.DURATION, StopReason.MEMORY, StopReason.HUNG):
        return _by_stop(stop, facts, seen, result.failure)
    failure = result.failure or _failure(
        FailureClass.TIMEOUT if result.outcome is Outcome.TIMED_OUT else FailureClass.ERROR,
        f"The worker ended as {result.outcome.value} without saying why; its log may tell.",
    )
    return (Outcome.TIMED_OUT if result.outcome is Outcome.TIMED_OUT else Outcome.FAILED), failure


def _by_stop(
    stop: StopReason, facts: RunFacts, seen: Observation, told: RunFailure | None = None
) -> tuple[Outcome, RunFailure | None]:
    trace = told.traceback if told else ""
    worker = f" The worker said: {told.message}" if told else ""
    if stop is StopReason.DURATION:
        hours = facts.schedule.max_duration_hours
        message = f"Stopped after its longest duration, {hours:g} h; raise max_duration_hours or train less.{worker}"
        return Outcome.TIMED_OUT, _failure(FailureClass.TIMEOUT, message, trace)
    if stop is StopReason.HUNG:
        message = f"Ended because it gave no sign of life for too long; its log may tell what it hung on.{worker}"
        return Outcome.FAILED, _failure(FailureClass.TIMEOUT, message, trace)
    if stop is StopReason.MEMORY:
        peak = f"{seen.usage.peak_memory_mb:.0f} MiB at its peak"
        message = f"Ended because its processes held too much memory ({peak}); raise workers.memory_limit_gb.{worker}"
        return Outcome.FAILED, _failure(FailureClass.RESOURCE, message, trace)
    return Outcome.CANCELLED, None


def _by_exit(seen: Observation) -> tuple[Outcome, RunFailure | None]:
    if seen.result_problem:
        return Outcome.FAILED, _failure(FailureClass.CRASH, f"Its result cannot be read: {seen.result_problem}.")
    if seen.phase is not Phase.EXITED:
        return Outcome.LOST, _failure(FailureClass.CRASH, "The worker vanished without a result (crash or power cut).")
    if seen.signal_number is not None:
        name = _signal_name(seen.signal_number)
        uncounted = seen.signal_number == signal.SIGKILL and seen.oom_kills is None
        hint = " (the kernel does so when memory runs out)" if uncounted else ""
        return Outcome.LOST, _failure(
            FailureClass.CRASH, f"The worker was ended by {name}{hint}; its log may tell why."
        )
    if seen.exit_code in _EXITS:
        kind, message = _EXITS[seen.exit_code]
        return Outcome.FAILED, _failure(kind, message)
    message = f"The worker ended with exit code {seen.exit_code} and no result; its log may tell why."
    return Outcome.FAILED, _failure(FailureClass.CRASH, message)


def _with_memory_told(failure: RunFailure | None, seen: Observation) -> RunFailure | None:
    """The failure, and what the kernel counted meanwhile: a child that died of it looks like any crash to its run."""
    kills = seen.oom_kills
    if failure is None or kills is None or kills.count == 0 or failure.failure_class not in _MAY_BE_MEMORY:
        return failure
    who = "a process" if kills.count == 1 else f"{kills.count} processes"
    told = (
        f"{failure.message} Meanwhile the kernel ended {who} of {kills.whose} for want of memory (oom_kill went from"
        f" {kills.before} to {kills.after}): let the run do less at once, or give it more memory."
    )
    return failure.model_copy(update={"failure_class": FailureClass.RESOURCE, "message": told})


def _following(
    facts: RunFacts, seen: Observation, outcome: Outcome, failure: RunFailure | None, now: datetime
) -> Retry | GiveUp:
    # What the daemon itself brought about does not use up a retry: the run goes on where it stood.
    if outcome is Outcome.CANCELLED and (facts.stop_reason or seen.stop_reason) is StopReason.SHUTDOWN:
        return Retry(now, facts.attempt, "the daemon stopped; the run goes on when it is back")
    if facts.never_began and outcome is Outcome.LOST:
        return Retry(now, facts.attempt, "the daemon ended before the run began")
    kind = failure.failure_class if failure else FailureClass.ERROR
    final = _why_final(facts, seen, outcome, kind)
    if final:
        return GiveUp(final)
    delay_s = retry_delay_s(facts.schedule, facts.scheduled_for, facts.attempt, kind)
    count = f"retry {facts.attempt} of {facts.schedule.max_retries}"
    reason = f"{count}, {delay_s:.0f} s after the run ended as {outcome.value} ({kind.value})"
    return Retry(now + timedelta(seconds=delay_s), facts.attempt + 1, reason)


def _why_final(facts: RunFacts, seen: Observation, outcome: Outcome, kind: FailureClass) -> str:
    """Why there is no retry; "" when there is one."""
    if outcome is Outcome.CANCELLED and (facts.stop_reason or seen.stop_reason) is StopReason.CANCEL:
        return "it was cancelled"
    if kind is FailureClass.BAD_INPUT:
        return "the same request would fail again"
    if not facts.schedule.retry_on_failure:
        return "its schedule does not retry"
    if facts.attempt > facts.schedule.max_retries:
        return f"all {facts.schedule.max_retries} retries are used up"
    return ""


def _failure(kind: FailureClass, message: str, trace: str = "") -> RunFailure:
    return RunFailure(failure_class=kind, message=message, traceback=trace)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
