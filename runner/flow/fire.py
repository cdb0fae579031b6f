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
from runner.store.schedules import Account, DueSchedule, PreparedFire
from runner.store.states import OccurrenceState
from schemas.automation import TrainingSchedule
from schemas.outside_text import error_line

SCHEDULES_PER_TRANSACTION = 1000
"""Others must get their turn at the database while thousands fall due at once."""
PREPARED_PER_TRANSACTION = 2500
"""Of fires that were worked out before: as long as the others, on the disk and at the processor."""
_log = logging.getLogger("ouroboros.fire")


class FireSchedules:
    """Accounts for everything due, chunk by chunk; each chunk is one transaction, and repeating one is harmless.

    Of what was worked out before, the rows of all come first and the schedules move on after that: it is the rows that
    are waited for. Killed in between, a schedule is still due, and its occurrence is found recorded.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._prepared = PrepareFires(runtime)

    def __call__(self, now: datetime) -> None:
        """Account for all that is due at `now`, and work out what comes next."""
        if self._runtime.idle.nothing_new:
            self._prepared.turn(now)
            return
        if self._something_due(now):
            self._move(self._record_prepared(now))
        while self._something_due(now) and self._account_for_some(now) == SCHEDULES_PER_TRANSACTION:
            pass

    def _something_due(self, now: datetime) -> bool:
        with self._runtime.store.read() as session:
            return bool(schedules.due(session, now, 1))

    def _account_for_some(self, now: datetime) -> int:
        limit = self._runtime.settings.scheduler.max_queue_length
        with self._runtime.store.write() as session:
            due = schedules.due(session, now, SCHEDULES_PER_TRANSACTION)
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
        _log.info("%s schedules due: %s occurrences recorded", len(due), recorded.created)
        return len(due)

    def _record_prepared(self, now: datetime) -> list[PreparedFire]:
        """The occurrences of what is due, was worked out beforehand and is as it was then."""
        recorded: list[PreparedFire] = []
        limit = self._runtime.settings.scheduler.max_queue_length
        last: schedules.Version | None = None
        while not self._prepared.empty:
            with self._runtime.store.write() as session:
                due = schedules.due_plainly(session, last, now, PREPARED_PER_TRANSACTION)
                fires = self._prepared.take(due, now)
                if not fires or queue.depth(session) + len(fires) > limit:
                    break
                created = queue.record_prepared(session, [fire.row for fire in fires], now)
                self._runtime.reach("fire.recording")
            self._runtime.reach("fire.recorded")
            _log.info("%s schedules due, worked out before: %s occurrences recorded", len(fires), created)
            recorded += fires
            last = due[-1]
        return recorded

    def _move(self, fires: list[PreparedFire]) -> None:
        for start in range(0, len(fires), PREPARED_PER_TRANSACTION):
            with self._runtime.store.write() as session:
                some = fires[start : start + PREPARED_PER_TRANSACTION]
                schedules.move_prepared(session, [fire.moved for fire in some])

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
