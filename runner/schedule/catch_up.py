"""What becomes of the occurrences that are due: on time, or found late after downtime, a pause or a step of the clock.

`plan` looks at (watermark, now] and accounts for every instant in it exactly once. An instant no older than the grace
is on time and queued. The older ones go by the schedule's catch-up policy. A long downtime of a busy schedule would
give a row for each of perhaps half a million instants: only the newest `row_bound` of them that do not run get rows
of their own, and the older ones share a *range*: one row at the range's last instant, whose reason states its first
instant, its last, and how many occurrences it stands for. So every due occurrence is still in exactly one row: its
own, or the one range row whose first and last instant enclose it.

A clock stepped back leaves `now` before the watermark: nothing is due, and nothing fires again until the clock has
passed the watermark. A clock stepped forward is downtime like any other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.schedule.fires import between, count_fires, latest, next_fire
from schemas.automation import CatchUpPolicy, TrainingSchedule
from schemas.times import to_text

GRACE_S = 60.0
"""An occurrence found so late is still on time: the loop was busy, not gone."""
ROW_BOUND = 100
_FEW = 32
"""Up to so many due fires are simply listed: the everyday case, in a few microseconds."""


@dataclass(frozen=True, slots=True)
class Due:
    """An occurrence to queue."""

    scheduled_for: datetime
    caught_up: bool
    reason: str
    """Empty when it is on time."""
    start_deadline: datetime
    """Not started by then, it is missed. Counted from the scheduled time, or, caught up, from when it was found: a
    daemon that was down did not keep it waiting."""


@dataclass(frozen=True, slots=True)
class Coalesced:
    """Occurrences that another one stands for; `count` over 1: a range, `first` to `scheduled_for`."""

    scheduled_for: datetime
    into: datetime
    reason: str
    count: int = 1
    first: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """Occurrences that will not run; `count` over 1: a range, `first` to `scheduled_for`."""

    scheduled_for: datetime
    code: str
    """`catch_up_none`, `catch_up_window`, `paused`, `edited`, `disabled` or `removed`."""
    reason: str
    count: int = 1
    first: datetime | None = None


@dataclass(frozen=True, slots=True)
class FirePlan:
    """Everything due of one schedule, accounted for; each list oldest first."""

    watermark: datetime
    """The last instant accounted for; the given one if nothing was due."""
    next_run: datetime | None
    to_queue: tuple[Due, ...] = ()
    coalesced: tuple[Coalesced, ...] = ()
    missed: tuple[Missed, ...] = ()

    @property
    def occurrences(self) -> int:
        """How many due occurrences the plan accounts for."""
        return len(self.to_queue) + sum(row.count for row in self.coalesced) + sum(row.count for row in self.missed)


def plan(
    schedule: TrainingSchedule,
    watermark: datetime,
    now: datetime,
    *,
    grace_s: float = GRACE_S,
    row_bound: int = ROW_BOUND,
    pause_note: str | None = None,
) -> FirePlan:
    """Account for all occurrences of `schedule` in (watermark, now].

    Args:
        schedule: an enabled schedule (a disabled one has no occurrences).
        watermark: occurrences at or before it are accounted for already.
        now: the wall clock.
        grace_s: occurrences no older than this are on time.
        row_bound: at most so many coalesced, and so many missed ones, get rows of their own.
        pause_note: not None: the schedule is paused, and what falls due is missed with this note.

    Raises:
        ScheduleError: the schedule's line or time zone cannot be used.
    """
    due = _Due(schedule, watermark, now, row_bound)
    if due.newest is None:
        return FirePlan(watermark, due.next_run)
    if pause_note is not None:
        return FirePlan(
            due.newest, due.next_run, missed=due.missed(watermark, now, "paused", paused_reason(pause_note))
        )
    on_time_from = max(watermark, now - timedelta(seconds=grace_s, microseconds=1))
    patience = timedelta(hours=schedule.start_deadline_hours)
    on_time = tuple(Due(instant, False, "", instant + patience) for instant in due.all(on_time_from, now))
    if len(on_time) == due.count(watermark, now):
        return FirePlan(due.newest, due.next_run, on_time)
    late = _late(schedule, due, watermark, on_time_from, now, on_time)
    return FirePlan(due.newest, due.next_run, late.to_queue + on_time, late.coalesced, late.missed)


def mark_missed(
    schedule: TrainingSchedule, watermark: datetime, now: datetime, code: str, reason: str
) -> tuple[Missed, ...]:
    """All occurrences of `schedule` in (watermark, now] as missed, because it is about to change or to go.

    Raises:
        ScheduleError: the schedule's line or time zone cannot be used.
    """
    return _Due(schedule, watermark, now, ROW_BOUND).missed(watermark, now, code, reason)


def paused_reason(note: str) -> str:
    """What stands in the row of an occurrence that a pause of its schedule cost."""
    return f"the schedule was paused{': ' if note else ''}{note}"


def _late(
    schedule: TrainingSchedule,
    due: "_Due",
    watermark: datetime,
    until: datetime,
    now: datetime,
    on_time: tuple[Due, ...],
) -> FirePlan:
    """The occurrences in (watermark, until], by the catch-up policy."""
    found = f"fell due while no daemon looked; found at {to_text(now)}"
    window_start = min(until, max(watermark, now - timedelta(hours=schedule.catch_up_window_hours)))
    if schedule.catch_up is CatchUpPolicy.NONE:
        reason = f"{found}, and the catch-up policy is none"
        return FirePlan(until, None, missed=due.missed(watermark, until, "catch_up_none", reason))
    reason = f"{found}, more than the catch-up window of {schedule.catch_up_window_hours:g} h ago"
    missed = due.missed(watermark, window_start, "catch_up_window", reason)
    wanted = _wanted(schedule, bool(on_time))
    caught = due.latest(window_start, until, wanted)
    reason = f"{found}: caught up ({schedule.catch_up.value})"
    deadline = now + timedelta(hours=schedule.start_deadline_hours)
    to_queue = tuple(Due(instant, True, reason, deadline) for instant in caught)
    standing = (to_queue or on_time)[:1]
    if not standing:
        return FirePlan(until, None, missed=missed)
    before = to_queue[0].scheduled_for - timedelta(microseconds=1) if to_queue else until
    coalesced = due.coalesced(window_start, before, standing[0].scheduled_for, found)
    return FirePlan(until, None, to_queue, coalesced, missed)


def _wanted(schedule: TrainingSchedule, has_on_time: bool) -> int:
    """How many late occurrences run; `latest` needs none if one on time runs anyway."""
    if schedule.catch_up is CatchUpPolicy.ALL:
        return schedule.catch_up_cap
    return 0 if has_on_time else 1


class _Due:
    """The fires of one schedule in (watermark, now]: a list where they are few, else counted by arithmetic."""

    def __init__(self, schedule: TrainingSchedule, watermark: datetime, now: datetime, row_bound: int) -> None:
        self._clock = (schedule.name, schedule.cron_expression, schedule.timezone)
        self._row_bound = row_bound
        self._listed, self.next_run = between(*self._clock, watermark, now, _FEW)
        self._is_whole = self.next_run is None or self.next_run > now
        self.newest: datetime | None = self._listed[-1] if self._listed else None
        if not self._is_whole:
            self.newest = latest(*self._clock, watermark, now, 1)[0]
            self.next_run = next_fire(*self._clock, now)

    def count(self, after: datetime, until: datetime) -> int:
        if self._is_whole:
            return sum(after < instant <= until for instant in self._listed)
        return count_fires(*self._clock, after, until)

    def latest(self, after: datetime, until: datetime, count: int) -> list[datetime]:
        if not count:
            return []
        if self._is_whole:
            return [instant for instant in self._listed if after < instant <= until][-count:]
        return latest(*self._clock, after, until, count)

    def all(self, after: datetime, until: datetime) -> list[datetime]:
        return self.latest(after, until, self.count(after, until))

    def missed(self, after: datetime, until: datetime, code: str, reason: str) -> tuple[Missed, ...]:
        rows, first, last, count = self._split(after, until)
        single = tuple(Missed(instant, code, reason) for instant in rows)
        if first is None or last is None:
            return single
        return (Missed(last, code, _range_reason(reason, first, last, count), count, first), *single)

    def coalesced(self, after: datetime, until: datetime, into: datetime, found: str) -> tuple[Coalesced, ...]:
        reason = f"{found}; the occurrence of {to_text(into)} stands for it"
        rows, first, last, count = self._split(after, until)
        single = tuple(Coalesced(instant, into, reason) for instant in rows)
        if first is None or last is None:
            return single
        return (Coalesced(last, into, _range_reason(reason, first, last, count), count, first), *single)

    def _split(self, after: datetime, until: datetime) -> tuple[list[datetime], datetime | None, datetime | None, int]:
        """The newest as rows; of the older ones the first, the last and their number."""
        if until <= after:
            return [], None, None, 0
        rows = self.latest(after, until, self._row_bound)
        older = self.count(after, until) - len(rows)
        if older <= 0:
            return rows, None, None, 0
        before_rows = rows[0] - timedelta(microseconds=1)
        last = self.latest(after, before_rows, 1)[0]
        return rows, next_fire(*self._clock, after), last, older


def _range_reason(reason: str, first: datetime, last: datetime, count: int) -> str:
    return f"stands for {count} occurrences from {to_text(first)} to {to_text(last)}: {reason}"
