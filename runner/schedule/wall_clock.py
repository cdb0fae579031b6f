"""Walking the wall times of a cron line, on a calendar without time zones.

A wall time is an int: seconds since 1970-01-01 00:00 on the wall (proleptic Gregorian calendar). croniter's own
stepping gives the same times (the tests compare them) at 30 to 40 microseconds each; here it is one or two, which
lets ten thousand schedules fall due in one minute.
"""

from calendar import monthrange
from datetime import date
from functools import lru_cache

from runner.schedule.cron import LAST, CronLine, DaySpec

DAY_S = 86_400
HORIZON_YEARS = 50
"""A line without a day in so many years never fires. The rarest, 29 February on a given weekday, comes within 40."""
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_YEAR = 9_999


def next_wall_time(line: CronLine, after: int) -> int | None:
    """The first wall time of `line` strictly later than `after`, None if there is none within the horizon."""
    day, second_of_day = divmod(after + 1, DAY_S)
    today = date.fromordinal(day + _EPOCH)
    matching = month_days(line.days, today.year, today.month) if line.months >> today.month & 1 else 0
    if matching >> today.day & 1:
        time = next_time(line, second_of_day)
        if time is not None:
            return day * DAY_S + time
    next_day = _next_day(line, today.year, today.month, matching >> (today.day + 1) << (today.day + 1))
    if next_day is None:
        return None
    time = next_time(line, 0)
    return None if time is None else next_day * DAY_S + time


def next_time(line: CronLine, second_of_day: int) -> int | None:
    """The first time of day of `line` at or after `second_of_day` (seconds), None if the day holds no more."""
    minute_of_day, second = divmod(second_of_day, 60)
    hour, minute = divmod(minute_of_day, 60)
    if line.hours >> hour & 1:
        if line.minutes >> minute & 1 and (seconds := line.seconds >> second):
            return second_of_day + _lowest(seconds)
        if minutes := line.minutes >> (minute + 1):
            return hour * 3600 + (minute + 1 + _lowest(minutes)) * 60 + _lowest(line.seconds)
    if hours := line.hours >> (hour + 1):
        return (hour + 1 + _lowest(hours)) * 3600 + _lowest(line.minutes) * 60 + _lowest(line.seconds)
    return None


def count_walls(line: CronLine, after: int, until: int) -> int:
    """How many wall times of `line` lie in (after, until]; by arithmetic, in a few microseconds a year."""
    return _count_up_to(line, until, since_year=_year(after)) - _count_up_to(line, after, since_year=_year(after))


def _count_up_to(line: CronLine, wall: int, since_year: int) -> int:
    """Wall times from the start of `since_year` up to and with `wall`."""
    day, second_of_day = divmod(wall, DAY_S)
    today = date.fromordinal(day + _EPOCH)
    per_day = line.hours.bit_count() * line.minutes.bit_count() * line.seconds.bit_count()
    days = 0
    for year in range(since_year, today.year + 1):
        months = range(1, 13) if year < today.year else range(1, today.month)
        days += sum(month_days(line.days, year, month).bit_count() for month in months if line.months >> month & 1)
    if not line.months >> today.month & 1:
        return days * per_day
    matching = month_days(line.days, today.year, today.month)
    days += _below(matching, today.day).bit_count()
    rest = _times_up_to(line, second_of_day) if matching >> today.day & 1 else 0
    return days * per_day + rest


def _times_up_to(line: CronLine, second_of_day: int) -> int:
    minute_of_day, second = divmod(second_of_day, 60)
    hour, minute = divmod(minute_of_day, 60)
    seconds = line.seconds.bit_count()
    count = _below(line.hours, hour).bit_count() * line.minutes.bit_count() * seconds
    if line.hours >> hour & 1:
        count += _below(line.minutes, minute).bit_count() * seconds
        if line.minutes >> minute & 1:
            count += _below(line.seconds, second + 1).bit_count()
    return count


def _next_day(line: CronLine, year: int, month: int, matching: int) -> int | None:
    """Days since 1970 of the first day in `matching` (of that month), else of the first one of a later month."""
    last_year = min(year + HORIZON_YEARS, _LAST_YEAR)
    while not matching:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        if year > last_year:
            return None
        matching = month_days(line.days, year, month) if line.months >> month & 1 else 0
    return date(year, month, _lowest(matching)).toordinal() - _EPOCH


@lru_cache(maxsize=8_192)
def month_days(spec: DaySpec, year: int, month: int) -> int:
    """The matching days of one month as bits 1..31. Both day fields restricted: either will do."""
    first_weekday, length = monthrange(year, month)
    whole_month = (1 << (length + 1)) - 2
    by_day = _days_by_date(spec, first_weekday, length) & whole_month
    by_weekday = _days_by_weekday(spec, (first_weekday + 1) % 7, length) & whole_month
    if spec.weekdays is None:
        return whole_month if spec.days is None else by_day
    return by_weekday if spec.days is None else by_day | by_weekday


def _days_by_date(spec: DaySpec, first_weekday: int, length: int) -> int:
    """`first_weekday`: of the 1st, Monday 0."""
    if spec.nearest_weekday is None:
        return (spec.days or 0) | (1 << length if spec.last_day else 0)
    day = min(spec.nearest_weekday, length)
    weekday = (first_weekday + day - 1) % 7
    if weekday == 5:
        day = day - 1 if day > 1 else day + 2
    elif weekday == 6:
        day = day + 1 if day < length else day - 2
    return 1 << day


def _days_by_weekday(spec: DaySpec, first: int, length: int) -> int:
    """`first`: weekday of the 1st, Sunday 0."""
    if not spec.nth:
        weekdays = spec.weekdays or 0
        return sum(1 << day for day in range(1, length + 1) if weekdays >> ((first + day - 1) % 7) & 1)
    days = 0
    for weekday, which in spec.nth:
        dates = range(1 + (weekday - first) % 7, length + 1, 7)
        if which == LAST:
            days |= 1 << dates[-1]
        elif which <= len(dates):
            days |= 1 << dates[which - 1]
    return days


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _below(bits: int, position: int) -> int:
    return bits & ((1 << position) - 1)


def _year(wall: int) -> int:
    return date.fromordinal(wall // DAY_S + _EPOCH).year
