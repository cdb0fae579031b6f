"""Miss what still waits past its start deadline. Before the schedules fire: a new occurrence must not be folded into
one that is missed in the same turn."""

from datetime import datetime

from runner.flow.runtime import Runtime
from runner.notify import compose
from runner.store import decisions, queue
from schemas.execution import Decision, DecisionKind


class ExpireWaiting:
    """One turn ends everything that is past its deadline, and tells of it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __call__(self, now: datetime) -> None:
        """End what is too late at `now`."""
        if self._runtime.idle.nothing_new:
            return
        with self._runtime.store.read() as session:
            deadline = queue.next_start_deadline(session)
        if deadline is None or deadline >= now:
            return
        settings = self._runtime.settings.notifications
        with self._runtime.store.write() as session:
            for run in queue.expire(session, now):
                reason = run.reason or "it was never its turn"
                decision = Decision(kind=DecisionKind.MISS, code="start_deadline", reason=reason)
                decisions.record(session, run.occurrence_id, run.schedule_name, decision, now)
                self._runtime.outbound.put(session, compose.run_missed(run, reason, settings, now), now)
            self._runtime.reach("expire.recording")
        self._runtime.reach("expire.recorded")
