"""Turn due schedules into occurrences: one row for everything that fell due, whatever becomes of it. Before that, what
still waits past its start deadline is missed: a new occurrence must not be folded into one that is missed in the same
turn.

The way of a cron fire is four files: this one, `schedule.catch_up` (what is due, and how), `store.queue` (its row) and
`flow.launch` (the guards, and the start).

What falls due within seconds is worked out beforehand: parsed, planned, its row put together. At the instant only rows
are written, so that ten thousand schedules of one second are hardly later than one. Nothing is promised by it: a
schedule whose row has changed since, that is busy, paused or late, is worked out anew, as if it had never been
prepared; a crash loses nothing that is not simply worked out again.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.schedule import catch_up, overlap
from runner.schedule.fires import start_delay_s
from runner.schedule.overlap import OverlapAction
from runner.store import decisions, due_schedules, queue, schedules
from runner.store.due_schedules import Account, ComingSchedule, DueSchedule, PreparedFire
from runner.store.occurrences import NewOccurrence
from runner.store.queue import ActiveOccurrences
from runner.store.states import OccurrenceState
from schemas.automation import TrainingSchedule
from schemas.execution import Decision, DecisionKind
from schemas.outside_text import error_line

SCHEDULES_PER_TRANSACTION = 1000
"""Others must get their turn at the database while thousands fall due at once."""
PREPARED_PER_TRANSACTION = 2500
"""Of fires that were worked out before: as long as the others, on the disk and at the processor."""
LEAD = timedelta(seconds=15)
"""How long before its instant a fire is worked out."""
PREPARED_PER_TURN = 1000
"""Fires worked out in one turn of the loop: some fifty milliseconds."""
_log = logging.getLogger("ouroboros.fire")


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
                self._runtime.notifier.put(session, messages.run_missed(run, reason, settings, now), now)
            self._runtime.reach("expire.recording")
        self._runtime.reach("expire.recorded")


class FireSchedules:
    """Accounts for everything due, chunk by chunk; each chunk is one transaction, and repeating one is harmless.

    Of what was worked out before, the rows of all come first and the schedules move on after that: it is the rows that
    are waited for. Killed in between, a schedule is still due, and its occurrence is found recorded.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._prepared = _PreparedFires(runtime)

    def __call__(self, now: datetime) -> None:
        """Account for all that is due at `now`, and work out what comes next."""
        if self._runtime.idle.nothing_new:
            self._prepared.turn(now)
            return
        self._mend_next_runs()
        if self._something_due(now):
            self._move(self._record_prepared(now))
        while self._something_due(now) and self._account_for_some(now) == SCHEDULES_PER_TRANSACTION:
            pass

    def _something_due(self, now: datetime) -> bool:
        with self._runtime.store.read() as session:
            return bool(due_schedules.due(session, now, 1))

    def _mend_next_runs(self) -> None:
        with self._runtime.store.read() as session:
            if not due_schedules.have_lost_their_run(session):
                return
        with self._runtime.store.write() as session:
            names = due_schedules.mend_next_runs(session)
        _log.error("Next runs in the database were no instants, and are worked out anew: %s", ", ".join(names))

    def _account_for_some(self, now: datetime) -> int:
        limit = self._runtime.settings.scheduler.max_queue_length
        with self._runtime.store.write() as session:
            due = due_schedules.due(session, now, SCHEDULES_PER_TRANSACTION)
            busy = queue.active(session, [item.name for item in due])
            accounts = []
            for item in due:
                try:
                    accounts.append(_account(item, busy.get(item.name, ActiveOccurrences()), now))
                except Exception as error:  # noqa: BLE001 - one schedule that cannot be used must not stop the others
                    self._stop(session, item.name, error, now)
            recorded = due_schedules.account(session, accounts, now, limit)
            self._runtime.reach("fire.recording")
        self._runtime.reach("fire.recorded")
        _log.info("%s schedules due: %s occurrences recorded", len(due), recorded.created)
        return len(due)

    def _record_prepared(self, now: datetime) -> list[PreparedFire]:
        """The occurrences of what is due, was worked out beforehand and is as it was then."""
        recorded: list[PreparedFire] = []
        limit = self._runtime.settings.scheduler.max_queue_length
        last: due_schedules.Version | None = None
        while not self._prepared.empty:
            with self._runtime.store.write() as session:
                due = due_schedules.due_unblocked(session, last, now, PREPARED_PER_TRANSACTION)
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
                due_schedules.move_prepared(session, [fire.moved for fire in some])

    def _stop(self, session: Session, name: str, error: Exception, now: datetime) -> None:
        problem = error_line(error)
        _log.error("Schedule %s is disabled: %s", name, problem, exc_info=error)
        schedules.stop(session, name, problem, now)
        message = messages.alert(
            subject=f"schedule {name} is disabled",
            detail=f"What is due of it cannot be worked out: {problem}",
            advice="Save it anew: `ouroboros schedules show`, `schedules add`. The others go on.",
            key=f"schedule-{name}-{now:%Y%m%dT%H%M%S}",
            settings=self._runtime.settings.notifications,
            now=now,
        )
        self._runtime.notifier.put(session, message, now)


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
            yield _to_run(schedule, row, decision.reason)


def _to_run(schedule: TrainingSchedule, due: catch_up.Due, reason: str) -> NewOccurrence:
    """An occurrence that waits for its run, from the end of its jitter on."""
    delay = timedelta(seconds=start_delay_s(schedule.name, due.scheduled_for, schedule.jitter_s))
    return NewOccurrence(
        schedule,
        due.scheduled_for,
        reason=reason or due.reason,
        not_before=due.scheduled_for + delay,
        start_deadline=due.start_deadline + delay,
    )


@dataclass(frozen=True, slots=True)
class _Ready:
    fire: PreparedFire
    until: datetime
    """From then on more than this one fire is due, or it is late: no longer the plain case."""


class _PreparedFires:
    """Keeps what is ready, by the schedule as it was. `turn` fills it, `take` empties it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._ready: dict[due_schedules.Version, _Ready] = {}
        self._last: tuple[datetime, str] | None = None
        """Up to this fire all are ready."""
        self._look_from: datetime | None = None

    def turn(self, now: datetime) -> None:
        """Work out what comes next, a share of it."""
        if timedelta(seconds=min(self._runtime.idle.left_s(now), 1e6)) > LEAD:
            return
        if self._look_from is not None and self._look_from - LEAD < now < self._look_from:
            return
        if self._last is None or self._last[0] < now or self._last[0] > now + LEAD:
            self._last = (now, "")
            self._ready = {version: ready for version, ready in self._ready.items() if ready.until > now}
        with self._runtime.store.read() as session:
            coming = due_schedules.coming(session, self._last, now + LEAD, PREPARED_PER_TURN)
        for item in coming:
            ready = _worked_out(item)
            if ready is not None:
                self._ready[item.version] = ready
        if coming:
            self._last = (coming[-1].next_run, coming[-1].name)
        self._look_from = now + LEAD / 3 if len(coming) < PREPARED_PER_TURN else None

    @property
    def empty(self) -> bool:
        """Nothing is ready."""
        return not self._ready

    def take(self, due: list[due_schedules.Version], now: datetime) -> list[PreparedFire]:
        """What is ready of schedules that are due: their rows are still those that it was worked out from."""
        found = [self._ready.pop(version, None) for version in due]
        return [ready.fire for ready in found if ready is not None and now < ready.until]


def _worked_out(item: ComingSchedule) -> _Ready | None:
    """The one fire of a schedule at its next run; None for every case that is not plain."""
    try:
        schedule = TrainingSchedule.model_validate_json(item.definition_json)
        plan = catch_up.plan(schedule, item.watermark, item.next_run)
    except Exception:  # noqa: BLE001 - whoever accounts for it meets the same error, and tells of it
        return None
    if len(plan.to_queue) != 1 or plan.occurrences != 1 or not item.is_kept_as(schedule):
        return None
    (due,) = plan.to_queue
    decision = overlap.decide(schedule, (), (), caught_up=due.caught_up)
    if due.caught_up or decision.action in (OverlapAction.SKIP, OverlapAction.COALESCE):
        return None
    until = item.next_run + timedelta(seconds=catch_up.GRACE_S)
    fire = PreparedFire(
        version=item.version,
        row=queue.prepared_row(_to_run(schedule, due, decision.reason), item.definition_id),
        moved=due_schedules.prepared_move(item.version, plan.watermark, plan.next_run),
    )
    return _Ready(fire, until if plan.next_run is None else min(until, plan.next_run))
