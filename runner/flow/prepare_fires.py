"""What falls due within seconds is worked out beforehand: parsed, planned, its row put together. At the instant only
rows are written, so that ten thousand schedules of one second are hardly later than one.

Nothing is promised by it. A schedule whose row has changed since, that is busy, paused or late, is worked out anew, as
if it had never been prepared; a crash loses nothing that is not simply worked out again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.flow.runtime import Runtime
from runner.schedule import catch_up, overlap
from runner.schedule.jitter import start_delay_s
from runner.schedule.overlap import OverlapAction
from runner.store import queue, schedules
from runner.store.occurrences import NewOccurrence
from runner.store.schedules import ComingSchedule, PreparedFire
from schemas.automation import TrainingSchedule

LEAD = timedelta(seconds=15)
"""How long before its instant a fire is worked out."""
PER_TURN = 1000
"""Fires worked out in one turn of the loop: some fifty milliseconds."""


@dataclass(frozen=True, slots=True)
class _Ready:
    fire: PreparedFire
    until: datetime
    """From then on more than this one fire is due, or it is late: no longer the plain case."""


class PrepareFires:
    """Keeps what is ready, by the schedule as it was. `turn` fills it, `take` empties it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._ready: dict[schedules.Version, _Ready] = {}
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
            coming = schedules.coming(session, self._last, now + LEAD, PER_TURN)
        for item in coming:
            ready = _worked_out(item)
            if ready is not None:
                self._ready[item.version] = ready
        if coming:
            self._last = (coming[-1].next_run, coming[-1].name)
        self._look_from = now + LEAD / 3 if len(coming) < PER_TURN else None

    @property
    def empty(self) -> bool:
        """Nothing is ready."""
        return not self._ready

    def take(self, due: list[schedules.Version], now: datetime) -> list[PreparedFire]:
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
    delay = timedelta(seconds=start_delay_s(schedule.name, due.scheduled_for, schedule.jitter_s))
    new = NewOccurrence(
        schedule,
        due.scheduled_for,
        reason=decision.reason or due.reason,
        not_before=due.scheduled_for + delay,
        start_deadline=due.start_deadline + delay,
    )
    until = item.next_run + timedelta(seconds=catch_up.GRACE_S)
    fire = PreparedFire(
        version=item.version,
        row=queue.prepared_row(new, item.definition_id),
        moved=schedules.prepared_move(item.version, plan.watermark, plan.next_run),
    )
    return _Ready(fire, until if plan.next_run is None else min(until, plan.next_run))
