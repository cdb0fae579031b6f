"""The wall clock was set, or the machine slept: noticed at the next turn, written down, told, and put right.

- Set ahead: what falls due in between is caught up as after a downtime. The daemon was there, so what waits goes on
  waiting for as long as it had to.
- Set back: schedules go on from now. What was written down for times that have not come is withdrawn if it never ran;
  what ran does not run again. Of a time that a clock ahead hid, what fell due meanwhile is caught up.
- The machine slept: a downtime like any other; it is told, so that nobody wonders.
- A database whose newest entries lie in the future (it comes from a machine whose clock was ahead, or this one's was
  set back while no daemon ran) is treated as one whose clock was set back.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from runner.clock import SMALLEST_STEP_S, ClockChange, ClockReading, change, read
from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.schedule.fires import next_fire
from runner.store import clock_changes, due_schedules, schedules
from runner.store.due_schedules import Account
from schemas.errors import ScheduleError
from schemas.times import duration

TOLD_FROM_S = 60.0
"""A smaller step is a row and a line in the log, and no message."""
_log = logging.getLogger("ouroboros.clock")


class FollowClock:
    """Holds the last reading, and what could not be written down yet."""

    def __init__(self, runtime: Runtime, on_change: Callable[[], None] = lambda: None) -> None:
        self._runtime = runtime
        self._on_change = on_change
        """Called as soon as a change is noticed: whatever else waits by the wall clock."""
        self._reading: ClockReading | None = None
        self._ahead_since_s: float | None = None
        """On the clock that never steps: when the wall clock was last set ahead, while it still is."""
        self._ahead_s = 0.0
        self._untold: list[ClockChange] = []

    def at_start(self, now: datetime) -> None:
        """Before anything is taken over: whether the rows come from a clock that was ahead of this one.

        Raises:
            StateError: the database cannot be used.
        """
        self._reading = read(self._runtime.clock)
        with self._runtime.store.read() as session:
            newest = clock_changes.newest_instant(session)
        if newest is None or (newest - now).total_seconds() < SMALLEST_STEP_S:
            return
        back_s = (now - newest).total_seconds()
        words = f"the database was last written {duration(newest - now)} in the future, by a clock that was ahead"
        with self._runtime.store.write() as session:
            self._put_right(session, words, ClockChange(back_s, 0.0), now, now, recorded_after=now)

    def __call__(self, now: datetime) -> None:
        """Look, and write down what is new.

        Raises:
            StateError: it cannot be written down now; it is at the next turn, and no other step may act before.
        """
        reading = read(self._runtime.clock)
        before, self._reading = self._reading, reading
        seen = change(before, reading) if before is not None else None
        if seen is not None:
            self._untold.append(seen)
            self._on_change()
        while self._untold:
            self._follow(self._untold[0], reading, now)
            del self._untold[0]

    def _follow(self, seen: ClockChange, reading: ClockReading, now: datetime) -> None:
        since = now
        if seen.step_s < 0 and self._ahead_since_s is not None:
            since = now - timedelta(seconds=reading.elapsed_s - self._ahead_since_s)
        with self._runtime.store.write() as session:
            self._put_right(session, _words(seen), seen, since, now)
        self._ahead_s = max(0.0, self._ahead_s + seen.step_s)
        if self._ahead_s < SMALLEST_STEP_S:
            self._ahead_since_s = None
        elif seen.step_s > 0 and self._ahead_since_s is None:
            self._ahead_since_s = reading.elapsed_s

    def _put_right(
        self,
        session: Session,
        words: str,
        seen: ClockChange,
        since: datetime,
        now: datetime,
        recorded_after: datetime | None = None,
    ) -> None:
        done = []
        by = timedelta(seconds=seen.step_s)
        if seen.step_s:
            waiting = clock_changes.shift_waits(session, by, recorded_after)
            if waiting:
                done.append(f"{waiting} waiting runs keep the time that they had left")
        if seen.step_s < 0:
            clock_changes.bring_back(session, now, by)
            note = f"recorded while the clock was {duration(timedelta(seconds=round(-seen.step_s)))} ahead"
            withdrawn = clock_changes.withdraw(session, now, note)
            resumed = self._resume(session, since, now)
            done.append(f"{resumed} schedules go on from now")
            if withdrawn.removed:
                done.append(f"{withdrawn.removed} rows of times that have not come are withdrawn")
            if withdrawn.kept:
                done.append(f"{withdrawn.kept} occurrences of such times have run or wait, and do not fire again")
        detail = f"{words}{': ' if done else '.'}{'; '.join(done)}{'.' if done else ''}"
        clock_changes.record(session, now, seen.step_s, seen.slept_s, detail)
        _log.warning("%s", detail)
        if max(abs(seen.step_s), seen.slept_s) >= TOLD_FROM_S:
            self._tell(session, detail, now)

    def _resume(self, session: Session, since: datetime, now: datetime) -> int:
        """Schedules that are accounted for beyond now go on from `since`; how many."""
        accounts = []
        for name, schedule in schedules.accounted_beyond(session, now):
            try:
                coming = next_fire(name, schedule.cron_expression, schedule.timezone, since)
            except ScheduleError as error:  # the step that fires it disables it, with the reason
                _log.warning("Schedule %s: %s", name, error)
                coming = now
            accounts.append(Account(name, (), since, coming))
        due_schedules.account(session, accounts, now, 0)
        return len(accounts)

    def _tell(self, session: Session, detail: str, now: datetime) -> None:
        message = messages.alert(
            subject="the machine's clock changed",
            detail=detail,
            advice="Nothing is to be done if that was meant; else look at the machine's time service (`timedatectl`).",
            key=f"clock-{now:%Y%m%dT%H%M%S}",
            settings=self._runtime.settings.notifications,
            now=now,
        )
        self._runtime.notifier.put(session, message, now)


def _words(seen: ClockChange) -> str:
    parts = []
    if seen.slept_s:
        parts.append(f"the machine slept for {duration(timedelta(seconds=round(seen.slept_s)))}")
    if seen.step_s:
        way = "ahead" if seen.step_s > 0 else "back"
        parts.append(f"the clock was set {way} by {duration(timedelta(seconds=round(abs(seen.step_s))))}")
    return " and ".join(parts)
