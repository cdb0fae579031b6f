"""Turn due schedules into occurrences: one row for everything that fell due, whatever becomes of it."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from runner.flow.prepare_fires import PrepareFires
from runner.flow.runtime import Runtime
from runner.notify import compose
from runner.schedule import catch_up, overlap
from runner.schedule.jitter import start_delay_s
from runner.schedule.overlap import OverlapAction
from runner.store import queue, schedules
from runner.store.occurrences import NewOccurrence
from runner.store.queue import ActiveOccurrences
from runner.store.schedules import Account, DueSchedule
from runner.store.states import OccurrenceState
from schemas.automation import TrainingSchedule
from schemas.outside_text import error_line

SCHEDULES_PER_TRANSACTION = 1000
"""Others must get their turn at the database while thousands fall due at once."""
_log = logging.getLogger("ouroboros.fire")


class FireSchedules:
    """Accounts for everything due, chunk by chunk; each chunk is one transaction, and repeating one is harmless."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._prepared = PrepareFires(runtime)

    def __call__(self, now: datetime) -> None:
        """Account for all that is due at `now`, and work out what comes next."""
        if self._runtime.idle.nothing_new:
            self._prepared.turn(now)
            return
        while self._account_for_some(now) == SCHEDULES_PER_TRANSACTION:
            pass

    def _account_for_some(self, now: datetime) -> int:
        with self._runtime.store.read() as session:
            if not schedules.due(session, now, 1):
                return 0
        limit = self._runtime.settings.scheduler.max_queue_length
        with self._runtime.store.write() as session:
            created = self._write_prepared(session, now, limit)
            due = schedules.due(session, now, SCHEDULES_PER_TRANSACTION - created)
            busy = queue.active(session, [item.name for item in due])
            accounts = []
            for item in due:
                try:
                    accounts.append(_account(item, busy.get(item.name, ActiveOccurrences()), now))
                except Exception as error:  # noqa: BLE001 - one schedule that cannot be used must not stop the others
                    self._stop(session, item.name, error, now)
            recorded = schedules.account(session, accounts, now, limit)
            self._runtime.reach("fire.recording")
        self._runtime.reach("fire.recorded")
        _log.info("%s schedules due: %s occurrences recorded", created + len(due), created + recorded.created)
        return created + len(due)

    def _write_prepared(self, session: Session, now: datetime, limit: int) -> int:
        """Of what is due, the share that was worked out beforehand and is as it was then; how many. No longer due after
        that, it is passed over by what follows."""
        due = schedules.due_versions(session, now, SCHEDULES_PER_TRANSACTION)
        ready = [self._prepared.take(item.name, item.version, now) for item in due if item.plain]
        fires = [fire for fire in ready if fire is not None]
        if queue.depth(session) + len(fires) > limit:
            return 0
        schedules.account_prepared(session, fires, now)
        return len(fires)

    def _stop(self, session: Session, name: str, error: Exception, now: datetime) -> None:
        problem = error_line(error)
        _log.error("Schedule %s is disabled: %s", name, problem, exc_info=error)
        schedules.stop(session, name, problem, now)
        message = compose.alert(
            subject=f"schedule {name} is disabled",
            detail=f"What is due of it cannot be worked out: {problem}",
            advice="Save it anew: `ouroboros schedules show`, `schedules add`. The others go on.",
            key=f"schedule-{name}-{now:%Y%m%dT%H%M%S}",
            settings=self._runtime.settings.notifications,
            now=now,
        )
        self._runtime.outbound.put(session, message, now)


def _account(due: DueSchedule, busy: ActiveOccurrences, now: datetime) -> Account:
    plan = catch_up.plan(due.schedule, due.watermark, now, pause_note=due.paused_note)
    news = [*_missed(due.schedule, plan), *_coalesced(due.schedule, plan), *_queued(due.schedule, plan, busy)]
    return Account(due.name, tuple(news), plan.watermark, plan.next_run)


def _missed(schedule: TrainingSchedule, plan: catch_up.FirePlan) -> Iterator[NewOccurrence]:
    for row in plan.missed:
        yield NewOccurrence(schedule, row.scheduled_for, state=OccurrenceState.MISSED, reason=row.reason)


def _coalesced(schedule: TrainingSchedule, plan: catch_up.FirePlan) -> Iterator[NewOccurrence]:
    for row in plan.coalesced:
        yield NewOccurrence(
            schedule,
            row.scheduled_for,
            state=OccurrenceState.COALESCED,
            reason=row.reason,
            coalesced_with=row.into,
        )


def _queued(schedule: TrainingSchedule, plan: catch_up.FirePlan, busy: ActiveOccurrences) -> Iterator[NewOccurrence]:
    """What is to run, after the overlap policy. Two due at once: the later one waits behind the earlier."""
    first: datetime | None = None
    for row in plan.to_queue:
        decision = overlap.decide(schedule, busy.running, busy.queued, caught_up=row.caught_up)
        states = {OverlapAction.SKIP: OccurrenceState.SKIPPED, OverlapAction.COALESCE: OccurrenceState.COALESCED}
        if decision.action in states:
            yield NewOccurrence(
                schedule,
                row.scheduled_for,
                state=states[decision.action],
                reason=decision.reason,
                coalesced_into=decision.into,
            )
        elif first is not None and not row.caught_up:
            yield NewOccurrence(
                schedule,
                row.scheduled_for,
                state=OccurrenceState.COALESCED,
                reason="fell due in the same look as an earlier one, which stands for it",
                coalesced_with=first,
            )
        else:
            first = first or row.scheduled_for
            delay = timedelta(seconds=start_delay_s(schedule.name, row.scheduled_for, schedule.jitter_s))
            yield NewOccurrence(
                schedule,
                row.scheduled_for,
                reason=decision.reason or row.reason,
                not_before=row.scheduled_for + delay,
                start_deadline=row.start_deadline + delay,
            )
