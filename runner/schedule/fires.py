"""When a schedule fires: its cron line, its time zone, and what becomes of wall times when the clocks change.

A line *follows elapsed time* when its hour, minute or seconds field holds a wildcard or an interval: `*`, any step
(`*/6`, `9-17/2`, `H/15`), or its whole range written out. Every other line names *fixed wall times* (single values,
lists, ranges without a step, `H`).

- Fixed, in the gap of spring: a time that the wall jumps over fires at the first instant after the gap (`30 2 * * *`
  in New York at 03:00 EDT). Several such times are one fire, and so is one that falls on another of the line's times.
- Fixed, in the overlap of autumn: only the first of the two passes fires. So each fixed time of day fires once a day.
- Elapsed, in the overlap: both passes fire (`0 * * * *` fires every hour that passes). Minutes stay those of the wall:
  where the clocks change by half an hour (Lord Howe), `*/20` waits 30 minutes once, and `*/15` does not.
- Elapsed, in the gap: a time that the wall jumps over fires when as much time has passed as if the clocks had stayed
  (`0 */2 * * *`: the 02:00 EST that is shown as 03:00 EDT), so none is skipped; mostly it falls on
  one of the line's own times anyway (`*/30 * * * *`).

Fires strictly increase, and none lies in a gap, for there is no such instant.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from runner.schedule.cron import CronLine, parse
from runner.schedule.wall_clock import count_walls, next_wall_time
from runner.schedule.zones import Zone, zone
from schemas.errors import ScheduleError
from schemas.times import to_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def next_fire(schedule_name: str, expression: str, timezone: str, after: datetime) -> datetime | None:
    """The first fire strictly later than `after` (aware), in UTC; None if there is none within 50 years.

    Raises:
        ScheduleError: the line or the time zone cannot be used.
    """
    fire = _next(parse(expression, schedule_name), zone(timezone), _seconds(after))
    return None if fire is None else _instant(fire)


def upcoming(schedule_name: str, expression: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """The next `count` fires strictly later than `after`, in UTC; fewer if there are fewer.

    Raises:
        ScheduleError: as `next_fire`.
    """
    line, where = parse(expression, schedule_name), zone(timezone)
    fires: list[datetime] = []
    fire = _next(line, where, _seconds(after))
    while fire is not None and len(fires) < count:
        fires.append(_instant(fire))
        fire = _next(line, where, fire)
    return fires


def between(
    schedule_name: str, expression: str, timezone: str, after: datetime, until: datetime, limit: int
) -> tuple[list[datetime], datetime | None]:
    """The first `limit` fires in (after, until], and the fire that follows the last of them, wherever it lies.

    Raises:
        ScheduleError: as `next_fire`.
    """
    line, where = parse(expression, schedule_name), zone(timezone)
    end = _seconds(until)
    fires: list[datetime] = []
    fire = _next(line, where, _seconds(after))
    while fire is not None and fire <= end and len(fires) < limit:
        fires.append(_instant(fire))
        fire = _next(line, where, fire)
    return fires, None if fire is None else _instant(fire)


def check(schedule_name: str, expression: str, timezone: str, now: datetime, count: int = 5) -> list[datetime]:
    """The next `count` fires of a line about to be saved.

    Raises:
        ScheduleError: the line or time zone cannot be used, or the line never fires.
    """
    fires = upcoming(schedule_name, expression, timezone, now, count)
    if not fires:
        raise ScheduleError(
            "this line never fires",
            where=f"cron line {expression!r}",
            remedy="No such day exists; change day or month.",
        )
    return fires


def count_fires(schedule_name: str, expression: str, timezone: str, after: datetime, until: datetime) -> int:
    """How many fires lie in (after, until]. By arithmetic: a year of a line that fires each second takes milliseconds.

    Raises:
        ScheduleError: as `next_fire`.
    """
    return _count(parse(expression, schedule_name), zone(timezone), _seconds(after), _seconds(until))


def latest(
    schedule_name: str, expression: str, timezone: str, after: datetime, until: datetime, count: int
) -> list[datetime]:
    """The newest `count` fires in (after, until], oldest first; fewer if there are fewer.

    Raises:
        ScheduleError: as `next_fire`.
    """
    line, where = parse(expression, schedule_name), zone(timezone)
    low, high = _seconds(after), _seconds(until)
    start, reach = low, 60
    while high - reach > low:  # gallop back, so that a long downtime is not counted through again and again
        if _count(line, where, high - reach, high) >= count:
            start = high - reach
            break
        reach *= 4
    cut = _cut(line, where, start, high, count)
    fires: list[datetime] = []
    fire = _next(line, where, cut)
    while fire is not None and fire <= high:
        fires.append(_instant(fire))
        fire = _next(line, where, fire)
    return fires


def _cut(line: CronLine, where: Zone, low: int, high: int, count: int) -> int:
    """The least instant from `low` on after which at most `count` fires come up to `high`."""
    end = high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _count(line, where, middle, end) <= count else (middle + 1, high)
    return low


@lru_cache(maxsize=4096)
def _next(line: CronLine, where: Zone, after: int) -> int | None:
    return (_next_elapsed if line.follows_elapsed else _next_fixed)(line, where, after)


def _next_fixed(line: CronLine, where: Zone, after: int) -> int | None:
    wall: int | None = after + where.period(after).offset
    while wall is not None:
        wall = next_wall_time(line, wall)
        # `first_instant` never falls as the wall rises, so the first one later than `after` is the next fire.
        if wall is not None and (fire := where.first_instant(wall)) > after:
            return fire
    return None


def _next_elapsed(line: CronLine, where: Zone, after: int) -> int | None:
    while True:
        period = where.period(after + 1)
        wall = next_wall_time(line, after + period.offset)
        if wall is None:
            return None
        fire = wall - period.offset
        if period.shift_at_start > 0:
            # Times the wall jumped over at the start of this stretch, by the old offset.
            skipped = next_wall_time(line, after + period.offset_before)
            if skipped is not None and skipped < period.start + period.offset:
                fire = min(fire, skipped - period.offset_before)
        if fire < period.end:
            return fire
        after = period.end - 1


def _count(line: CronLine, where: Zone, after: int, until: int) -> int:
    """Away from a change of the clocks fires are wall times and can be counted; near one they are walked."""
    total = 0
    while after < until:
        period = where.period(after + 1)
        calm_from = period.start + abs(period.shift_at_start)
        calm_until = period.end - abs(period.shift_at_end) - 1
        if calm_from <= after < calm_until:
            stop = min(until, calm_until)
            total += count_walls(line, after + period.offset, stop + period.offset)
        else:
            stop = min(until, calm_from if after < calm_from else period.end)
            fire = _next(line, where, after)
            while fire is not None and fire <= stop:
                total += 1
                fire = _next(line, where, fire)
        after = stop
    return total


def _seconds(instant: datetime) -> int:
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime {instant!r}: every instant here is aware UTC")
    return (instant - _EPOCH) // _SECOND


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def start_delay_s(schedule_name: str, scheduled_for: datetime, jitter_s: float) -> float:
    """Seconds in [0, jitter_s) by which this occurrence is launched later; fixed by schedule and scheduled time, so
    that a restart of the daemon does not draw anew.

    Raises:
        ValueError: `scheduled_for` is naive.
    """
    digest = sha256(f"{schedule_name}\n{to_text(scheduled_for)}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48 * jitter_s
