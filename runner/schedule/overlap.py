"""What becomes of an occurrence whose schedule still runs or waits. Decides, and does nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.automation import CatchUpPolicy, OverlapPolicy, TrainingSchedule


class OverlapAction(StrEnum):
    """What to do with the new occurrence."""

    QUEUE = "queue"
    SKIP = "skip"
    COALESCE = "coalesce"
    CANCEL_THEN_QUEUE = "cancel_then_queue"
    """It waits as any other; what runs is stopped at the moment when this one could start (`flow.launch`)."""


@dataclass(frozen=True, slots=True)
class OverlapDecision:
    """The action, and why in plain words."""

    action: OverlapAction
    reason: str
    """Empty for a plain QUEUE: nothing needs an explanation."""
    into: int | None = None
    """COALESCE: the waiting occurrence that stands for this one too."""


def decide(
    schedule: TrainingSchedule, running: Sequence[int], waiting: Sequence[int], *, caught_up: bool = False
) -> OverlapDecision:
    """Decide by `schedule.overlap`.

    Args:
        schedule: whose occurrence it is.
        running: ids of this schedule's running occurrences, oldest first.
        waiting: ids of its queued ones, oldest first; a retry that waits is one of them.
        caught_up: the occurrence fell due during downtime. With `catch_up` `all` such ones wait for each other and
            run one after another, as the user asked; otherwise they are treated like any other.
    """
    if caught_up and schedule.catch_up is CatchUpPolicy.ALL:
        return OverlapDecision(OverlapAction.QUEUE, "caught up; runs after those before it")
    if not running and not waiting:
        return OverlapDecision(OverlapAction.QUEUE, "")
    if schedule.overlap is OverlapPolicy.SKIP:
        busy = f"run {running[0]} is still going" if running else f"occurrence {waiting[0]} is still waiting"
        return OverlapDecision(OverlapAction.SKIP, f"{busy}, and the overlap policy is skip")
    if waiting:
        # Also under cancel_running: the waiting one has cancelled what ran, and starts as soon as this one could.
        reason = f"occurrence {waiting[-1]} of this schedule is still waiting and stands for this one too"
        return OverlapDecision(OverlapAction.COALESCE, reason, into=waiting[-1])
    if schedule.overlap is OverlapPolicy.CANCEL_RUNNING:
        stopped = ", ".join(map(str, running))
        reason = f"the overlap policy is cancel_running: run {stopped} is stopped first"
        return OverlapDecision(OverlapAction.CANCEL_THEN_QUEUE, reason)
    return OverlapDecision(OverlapAction.QUEUE, f"waits for run {running[0]} of the same schedule")
