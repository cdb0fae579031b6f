"""When a running worker is to be ended, and how hard. Pure: the daemon asks, and does what it is told."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.service import SchedulerSettings, WorkerSettings


class StopReason(StrEnum):
    """Why a run is being ended; the stop file holds it, so that a daemon that was restarted knows too."""

    CANCEL = "cancel"
    """Somebody asked, or a newer occurrence takes its place."""
    SHUTDOWN = "shutdown"
    """The daemon stops and takes its workers with it; they resume later."""
    DURATION = "duration"
    """The schedule's longest duration has passed."""
    HUNG = "hung"
    """No heartbeat for too long."""
    MEMORY = "memory"
    """The process tree holds more than its limit."""


class StopStep(StrEnum):
    """What to do now."""

    NOTHING = "nothing"
    SOFT = "soft"
    """Ask through the stop file."""
    TERM = "term"
    KILL = "kill"
    """The whole tree; asked for again while anything is left."""


@dataclass(frozen=True, slots=True)
class StopUnderWay:
    """A stop under way. Instants are of the monotonic clock."""

    reason: StopReason
    since_s: float
    taken: StopStep = StopStep.NOTHING
    """The hardest step taken so far."""
    taken_at_s: float = 0.0

    def after(self, step: StopStep, now_s: float) -> "StopUnderWay":
        """The same once `step` has been taken."""
        return self if step is StopStep.NOTHING else StopUnderWay(self.reason, self.since_s, step, now_s)


_URGENT = (StopReason.MEMORY, StopReason.HUNG)
_HARDNESS = (StopStep.NOTHING, StopStep.SOFT, StopStep.TERM, StopStep.KILL)


def why_stop(
    *,
    heartbeat_age_s: float,
    over_memory_limit: bool,
    past_deadline: bool,
    cancelled: bool,
    shutting_down: bool,
    settings: WorkerSettings,
) -> StopReason | None:
    """The most pressing reason to end a run now; None: let it go on."""
    if over_memory_limit:
        return StopReason.MEMORY
    if heartbeat_age_s > settings.heartbeat_timeout_s:
        return StopReason.HUNG
    if cancelled:
        return StopReason.CANCEL
    if past_deadline:
        return StopReason.DURATION
    return StopReason.SHUTDOWN if shutting_down else None


def follow(current: StopUnderWay | None, reason: StopReason | None, now_s: float) -> StopUnderWay | None:
    """The stop to work on: the one under way stays, as it says what became of the run, unless a worker that was
    asked to save its work turns out to be hung or to eat the memory; then there is no time to wait for it."""
    if current is None:
        return None if reason is None else StopUnderWay(reason, now_s)
    if reason in _URGENT and current.reason not in _URGENT:
        return StopUnderWay(reason, now_s, current.taken, current.taken_at_s)
    return current


def next_step(stopping: StopUnderWay, now_s: float, workers: WorkerSettings, scheduler: SchedulerSettings) -> StopStep:
    """The next step of the escalation soft -> TERM -> KILL, or NOTHING while the last one still has time to work.

    A hung worker does not look for the stop file, and one that eats the memory must not be given the time: both
    begin with TERM. At a shutdown the soft step has `drain_timeout_s`, else `soft_stop_timeout_s`.
    """
    first = StopStep.TERM if stopping.reason in _URGENT else StopStep.SOFT
    if _HARDNESS.index(stopping.taken) < _HARDNESS.index(first):
        return first
    waited_s = now_s - stopping.taken_at_s
    if stopping.taken is StopStep.SOFT:
        shutdown = stopping.reason is StopReason.SHUTDOWN
        patience_s = scheduler.drain_timeout_s if shutdown else workers.soft_stop_timeout_s
        return StopStep.TERM if waited_s >= patience_s else StopStep.NOTHING
    return StopStep.KILL if waited_s >= workers.term_timeout_s else StopStep.NOTHING
