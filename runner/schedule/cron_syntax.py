"""Which cron lines we accept: croniter's dialect, less what is ambiguous there or between implementations.

Five fields `minute hour day-of-month month day-of-week`, or six with **seconds last** (croniter's order; Quartz and
Spring put them first, and such lines are refused where they can be told). Names (`MON`, `JAN`), lists, ranges, steps,
`L` (last day of the month), `L5` (last Friday), `5#2` (second Friday), `15W` (weekday nearest to the 15th), `?` for
`*` in the day fields, `H`, `H(0-29)`, `H/15` (hashed by the schedule's name), and the aliases of `ALIASES`.
Sunday is 0 and 7. With both day fields restricted a day matches that satisfies either, as in every cron.
"""

import re
from functools import lru_cache
from typing import NoReturn

from croniter import CroniterError, croniter

from schemas.errors import ScheduleError

FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week", "seconds")
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6), (0, 59))
MINUTE, HOUR, DAY, MONTH, WEEKDAY, SECOND = range(6)
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MAX_LENGTH = 200

_HASHED = re.compile(r"^H(\(\d+-\d+\))?(/\d+)?$")
_RANDOM = re.compile(r"^R(\(\d+-\d+\))?(/\d+)?$")
_RANGE = re.compile(r"^(\w+)-(\w+)(/\d+)?$", re.ASCII)
_STEP = re.compile(r"^(.+)/(\d+)$", re.ASCII)
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NUMBERS = {name: number for number, name in enumerate(WEEKDAYS)} | {
    name: number for number, name in enumerate(MONTHS, start=1)
}


@lru_cache(maxsize=4_096)
def tokens(expression: str) -> tuple[str, ...]:
    """The five or six fields of a line in capitals, aliases written out; every field checked. Cached.

    Raises:
        ScheduleError: not of the dialect, or ambiguous; names the field and the remedy.
    """
    line = " ".join(expression.split())
    if len(line) > MAX_LENGTH:
        raise ScheduleError(f"the cron line is longer than {MAX_LENGTH} characters", where=repr(line[:40] + "..."))
    if line.startswith("@"):
        line = _alias(line)
    fields = tuple(line.upper().split(" "))
    _check_field_count(fields, expression)
    for index, token in enumerate(fields):
        _check_field(index, token, expression)
    _check_day_fields(fields, expression)
    _check_seconds(fields, expression)
    return fields


def alone(index: int, token: str) -> str:
    """A line for croniter that holds only this field, and `*` in the others."""
    fields = ["*"] * (6 if index == SECOND else 5)
    fields[index] = token.lower()
    return " ".join(fields)


def is_hashed(fields: tuple[str, ...]) -> bool:
    """True if a field takes its value from the schedule's name."""
    return any(_HASHED.match(token) for token in fields)


def is_interval(index: int, token: str, mask: int) -> bool:
    """True for `*`, a step (`*/5`, `10/5`, `H/15`) and a whole range written out: it says how often, not when."""
    low, high = RANGES[index]
    return "*" in token or "/" in token or mask.bit_count() == high - low + 1


def seconds_first(fields: tuple[str, ...]) -> tuple[str, ...] | None:
    """The fields of a six-field line put in our order, if it also makes sense with its seconds first, as Quartz and
    Spring write them, and says something else then; None otherwise."""
    if len(fields) != 6 or is_hashed(fields):
        return None
    turned = (*fields[1:], fields[0])
    if turned == fields or any(_problem(index, token) for index, token in enumerate(turned)):
        return None
    return turned


def _alias(line: str) -> str:
    if line.lower() in ALIASES:
        return ALIASES[line.lower()]
    if line.lower() == "@reboot":
        raise ScheduleError(
            "@reboot names no time",
            where=repr(line),
            remedy="Use a trigger file or `ouroboros trigger` to run at start.",
        )
    raise ScheduleError(
        f"unknown alias {line!r}", where="cron line", remedy=f"Known are {', '.join(ALIASES)}; or write five fields."
    )


def _check_field_count(fields: tuple[str, ...], expression: str) -> None:
    if fields == ("",):
        raise ScheduleError("the cron line is empty", remedy="Write five fields, for instance `0 2 * * *`.")
    if len(fields) not in (5, 6):
        raise ScheduleError(
            f"a cron line has five fields, or six with seconds last; this one has {len(fields)}",
            where=repr(expression),
            remedy="Write `minute hour day-of-month month day-of-week [seconds]`; years are not supported.",
        )


def _refuse(what: str, index: int, expression: str, remedy: str) -> NoReturn:
    raise ScheduleError(what, where=f"{FIELDS[index]} field of {expression!r}", remedy=remedy)


def _check_field(index: int, token: str, expression: str) -> None:
    if _RANDOM.match(token):
        _refuse(f"{token!r} draws at random", index, expression, "Write H: hashed by name, it stays put.")
    if "," in token and any(part in {"*", "?"} for part in token.split(",")):
        _refuse(f"{token!r} lists values beside `*`", index, expression, "Write `*` alone, or the values alone.")
    if token.endswith("L") and token[:-1].isdigit() and index == WEEKDAY:
        _refuse(f"{token!r} is not understood", index, expression, f"The last such weekday is written L{token[:-1]}.")
    for part in token.split(","):
        _check_range(index, part, expression)
        _check_step(index, part, expression)
    _check_with_croniter(index, token, expression)


def _check_range(index: int, part: str, expression: str) -> None:
    """croniter reads `5-5` as the whole field, and steps wrongly through a range that wraps around."""
    match = _RANGE.match(part)
    if not match:
        return
    low, high = (_NUMBERS.get(end, int(end) if end.isdigit() else None) for end in match.group(1, 2))
    if low is None or high is None or (index == WEEKDAY and (low, high) == (0, 7)):
        return
    if low == high or (index == WEEKDAY and (low, high) == (7, 0)):
        _refuse(f"{part!r} is read as one value by some and as the whole field by others", index, expression,
                f"Write {match.group(1)} or `*`.")  # fmt: skip
    if low > high and match.group(3):
        _refuse(f"{part!r} steps through a range that wraps around", index, expression, "List the values instead.")


def _check_step(index: int, part: str, expression: str) -> None:
    match = _STEP.match(part)
    low, high = RANGES[index]
    if match and not 0 < int(match.group(2)[:6]) <= high - low + 1:
        _refuse(
            f"the step of {part!r} does not fit the field ({low}-{high})",
            index,
            expression,
            "A step counts within its field and starts anew with the next one; use a larger unit.",
        )


def _check_with_croniter(index: int, token: str, expression: str) -> None:
    problem = _problem(index, token)
    if problem is not None:
        low, high = RANGES[index]
        hint = " In a line of six fields the seconds stand last." if len(expression.split()) == 6 else ""
        raise ScheduleError(
            f"{token!r} is not understood",
            where=f"{FIELDS[index]} field of {expression!r}",
            remedy=f"Give values from {low} to {high}, names, ranges, lists or steps.{hint}",
        ) from problem


@lru_cache(maxsize=8_192)
def _problem(index: int, token: str) -> Exception | None:
    """What croniter has against this field; None if it understands it."""
    try:
        croniter.expand(alone(index, token), hash_id=b"any")
    except (CroniterError, ValueError) as error:
        return error.with_traceback(None)
    return None


def _check_day_fields(fields: tuple[str, ...], expression: str) -> None:
    day, weekday = fields[DAY], fields[WEEKDAY]
    if day in "*?" or weekday in "*?":
        return
    if "*" in day or "*" in weekday:
        _refuse(
            f"{day!r} together with day-of-week {weekday!r}: crons disagree whether both must hold or either",
            DAY,
            expression,
            "Write the step over a range (`1-31/2`) if either shall do, or use two schedules.",
        )
    if "#" in weekday or "L" in weekday or "W" in day:
        _refuse(
            f"{day!r} together with day-of-week {weekday!r} has no agreed meaning",
            DAY,
            expression,
            "Leave one of the two `*`, or use two schedules.",
        )


def _check_seconds(fields: tuple[str, ...], expression: str) -> None:
    if len(fields) == 6 and fields[SECOND] == "*" and fields[MINUTE] != "*":
        _refuse(
            "every second of a chosen minute: this looks like a line with seconds first",
            SECOND,
            expression,
            "Seconds stand last here: `minute hour day month weekday seconds`; if it is meant, write 0-59.",
        )
