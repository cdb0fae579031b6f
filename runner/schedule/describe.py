"""A cron line in plain English, told from what it expands to rather than from how it is written."""

from collections.abc import Sequence

from runner.schedule import cron_syntax
from runner.schedule.cron import LAST, CronLine, DaySpec, parse
from runner.schedule.zones import zone
from schemas.errors import ScheduleError

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July",
           "August", "September", "October", "November", "December")  # fmt: skip
_ORDINALS = ("last", "first", "second", "third", "fourth", "fifth")
_MAX_TIMES = 6
"""Up to so many times of day are listed one by one."""
_EVERY_DAY = DaySpec(None, False, None, None, ())


def describe(expression: str, timezone: str, schedule_name: str = "") -> str:
    """One or two sentences: when the line fires, and what it does when the clocks change.

    Raises:
        ScheduleError: the line or the time zone cannot be used.
    """
    zone(timezone)
    line = parse(expression, schedule_name)
    parts = [_times(line), _days(line.days), _months(line.months)]
    sentence = ", ".join(part for part in parts if part)
    text = f"{sentence[0].upper()}{sentence[1:]}, {timezone} time."
    if cron_syntax.is_hashed(line.fields):
        text += f" H is fixed by the schedule's name ({schedule_name or 'none given'})."
    if timezone == "UTC":
        return text
    if line.follows_elapsed:
        return f"{text} Follows elapsed time: a repeated hour fires in both passes, a skipped one is made up for."
    return f"{text} A fixed wall time: once a day also when the clocks change (a skipped time right after the gap)."


def seconds_first_warning(expression: str, timezone: str, schedule_name: str = "") -> str:
    """What to say of a line of six fields that Quartz or Spring, which put the seconds first, would read otherwise; ""
    of any other.

    Raises:
        ScheduleError: the line or the time zone cannot be used.
    """
    turned = cron_syntax.seconds_first(cron_syntax.tokens(expression))
    if turned is None:
        return ""
    meant = describe(expression, timezone, schedule_name).partition(f", {timezone} time.")[0]
    try:
        theirs = describe(" ".join(turned), timezone, schedule_name).partition(f", {timezone} time.")[0]
    except ScheduleError:  # each field makes sense, and all of them together do not
        return ""
    weekday = turned[cron_syntax.WEEKDAY]
    counted = " (Sunday 0 or 7, Monday 1; Quartz counts Sunday as 1)" if any(map(str.isdigit, weekday)) else ""
    shorter = turned[:5] if turned[cron_syntax.SECOND] == "0" else turned
    return (
        f"Note: six fields have the seconds last here, so this is {meant[0].lower()}{meant[1:]}. If the seconds were"
        f" meant to stand first, as in Quartz and Spring, it is {theirs[0].lower()}{theirs[1:]}{counted}:"
        f" write `{' '.join(shorter)}` for that."
    )


def _times(line: CronLine) -> str:
    hours, minutes, seconds = _bits(line.hours), _bits(line.minutes), _bits(line.seconds)
    if len(hours) * len(minutes) * len(seconds) <= _MAX_TIMES:
        with_seconds = seconds != [0]
        clock = [
            f"{hour:02}:{minute:02}" + (f":{second:02}" if with_seconds else "")
            for hour in hours
            for minute in minutes
            for second in seconds
        ]
        return f"at {_listed(clock)}"
    within = _hours(hours)
    if seconds == [0]:
        return " ".join(filter(None, [_unit("minute", minutes, 60), within]))
    every_minute = len(minutes) == 60
    of = "" if every_minute else f"of minutes {_runs(minutes)}"
    return " ".join(filter(None, [_unit("second", seconds, 60), of, within]))


def _unit(name: str, values: Sequence[int], period: int) -> str:
    """`every minute`, `every 15 minutes`, or the values; a step that does not divide the period is no `every`."""
    if len(values) == period:
        return f"every {name}"
    step = period // len(values)
    if len(values) > 1 and list(values) == list(range(0, period, step)) and period % step == 0:
        return f"every {step} {name}s"
    return f"at {name}{'s' if len(values) > 1 else ''} {_runs(values)}"


def _hours(hours: Sequence[int]) -> str:
    if len(hours) == 24:
        return "of every hour"
    return f"of hour{'s' if len(hours) > 1 else ''} {_runs(hours)}"


def _days(spec: DaySpec) -> str:
    if spec == _EVERY_DAY:
        return "every day"
    by_date, by_weekday = _dates(spec), _weekdays(spec)
    return " or ".join(f"on {part}" for part in (by_date, by_weekday) if part)


def _dates(spec: DaySpec) -> str:
    if spec.days is None:
        return ""
    if spec.nearest_weekday is not None:
        return f"the weekday nearest to day {spec.nearest_weekday} of the month"
    numbers = _bits(spec.days)
    parts = [f"day{'s' if len(numbers) > 1 else ''} {_runs(numbers)} of the month"] if numbers else []
    return " and ".join(parts + (["the last day of the month"] if spec.last_day else []))


def _weekdays(spec: DaySpec) -> str:
    if spec.weekdays is None:
        return ""
    if spec.nth:
        named = [f"the {_ORDINALS[which if which != LAST else 0]} {_WEEKDAYS[day]}" for day, which in spec.nth]
        return f"{_listed(named)} of the month"
    return _runs(_bits(spec.weekdays), _WEEKDAYS)


def _months(months: int) -> str:
    numbers = _bits(months)
    return "" if len(numbers) == 12 else f"in {_runs([number - 1 for number in numbers], _MONTHS)}"


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _runs(values: Sequence[int], names: Sequence[str] = ()) -> str:
    """`1 to 5, 8 and 10`: three or more in a row become a run."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    words: list[str] = []
    for run in runs:
        named = [names[value] if names else str(value) for value in run]
        words += [f"{named[0]} to {named[-1]}"] if len(run) > 2 else named
    return _listed(words)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
