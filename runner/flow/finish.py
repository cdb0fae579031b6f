"""A run has ended: what became of it, its retry, its decision and its messages, in one transaction.

So a kill at any moment leaves either a run that the history has as unfinished, which the next daemon finds there, or a
finished one with all that follows.
"""

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from runner import outcome
from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.outcome import Retry, RunFacts, RunOutcome
from runner.store import decisions, history, queue
from runner.store.history import ExecutionRecord
from runner.worker.observation import Observation
from runner.worker.run_folder import RunDir
from schemas.automation import TrainingSchedule
from schemas.execution import Decision, DecisionKind, ExecutionResult
from schemas.outside_text import REASON_LIMIT, passage

PLOT_POINTS = 200
_log = logging.getLogger("ouroboros.watch")


class FinishRun:
    """Writes the end of one run, once however often it is asked."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __call__(
        self,
        execution: ExecutionRecord,
        schedule: TrainingSchedule,
        seen: Observation,
        facts: RunFacts,
        now: datetime,
    ) -> None:
        """Decide how it ended, and keep that with all that follows.

        Raises:
            StateError: it could not be written; nothing was.
        """
        end = outcome.decide(facts, seen, now)
        result = _result(execution, end, seen, now)
        self._runtime.reach("run.observed")
        with self._runtime.store.write() as session:
            if history.finish(session, result):
                _follow_up(session, execution, end, now)
                self._tell(session, result, schedule, seen, now)
            self._runtime.reach("run.finishing")
        self._runtime.reach("run.finished")
        _log.info(
            "Run %s of %s: %s. %s",
            execution.execution_id,
            execution.schedule_name,
            result.outcome.value,
            result.error_message or "",
        )

    def _tell(
        self, session: Session, result: ExecutionResult, schedule: TrainingSchedule, seen: Observation, now: datetime
    ) -> None:
        settings = self._runtime.settings.notifications
        points = history.win_rates(session, schedule.name, PLOT_POINTS)
        before = history.known_before(session, result.execution_id, result.worker)
        message = messages.run_ended(result, schedule, points, settings, before)
        if message is not None:
            self._runtime.notifier.put(session, message, now)
        if seen.result is not None and seen.result.stagnated:
            self._runtime.notifier.put(session, messages.run_stagnated(result, schedule, settings), now)


def _result(execution: ExecutionRecord, end: RunOutcome, seen: Observation, now: datetime) -> ExecutionResult:
    following = end.following
    added = seen.result.added if seen.result is not None and end.success else ""
    # What it was at last is over; what came of it is what the history tells.
    state = end.state.model_copy(update={"operation_details": passage(added, REASON_LIMIT)} if added else {})
    return ExecutionResult(
        execution_id=execution.execution_id,
        schedule_name=execution.schedule_name,
        trigger_type=execution.trigger_type,
        scheduled_for=execution.scheduled_for,
        started_at=execution.started_at,
        completed_at=now,
        attempt=execution.attempt,
        worker=execution.worker,
        outcome=end.outcome,
        success=end.success,
        state=state,
        added=added,
        usage=seen.usage,
        failure=end.failure,
        will_retry_at=following.at if isinstance(following, Retry) else None,
        run_dir=execution.run_dir,
        log_tail=RunDir(execution.run_dir).log_tail(messages.LOG_LINES),
    )


def _follow_up(session: Session, execution: ExecutionRecord, end: RunOutcome, now: datetime) -> None:
    """The occurrence goes back to the queue or ends, and the decision is a row."""
    following = end.following
    if isinstance(following, Retry):
        queue.retry(session, execution.occurrence_id, following.at, following.reason, following.attempt)
        decision = Decision(kind=DecisionKind.RETRY, code=end.outcome.value, reason=following.reason)
    else:
        reason = following.reason if following else ""
        failure = end.failure.message if end.failure else ""
        queue.finish(session, execution.occurrence_id, end.outcome, failure or reason, now)
        if following is None:
            return
        decision = Decision(kind=DecisionKind.GIVE_UP, code=end.outcome.value, reason=reason)
    decisions.record(session, execution.occurrence_id, execution.schedule_name, decision, now)
