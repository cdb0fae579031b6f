"""A cron line as sets of values, ready to be walked. croniter parses; what it expands to is kept as bit masks."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast

from croniter import CroniterError, croniter

from runner.schedule import dialect
from runner.schedule.dialect import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY
from schemas.errors import ScheduleError

LAST = 0
"""In `DaySpec.nth`: the last such weekday of the month."""

_MAY_BE_HASHED = re.compile(r"(?:^|\s)h(?:[\s(/]|$)", re.IGNORECASE)


class DaySpec(NamedTuple):
    """Which days match. Hashable and shared: the days of a month are cached by it."""

    days: int | None
    """Bits 1..31, None: not restricted."""
    last_day: bool
    """Also the last day of the month."""
    nearest_weekday: int | None
    """The weekday (Monday to Friday) of the same month nearest to this day; then `days` is not read."""
    weekdays: int | None
    """Bits 0..6, Sunday 0; None: not restricted."""
    nth: tuple[tuple[int, int], ...]
    """(weekday, which of the month, or LAST); then `weekdays` is not read."""


@dataclass(frozen=True, slots=True, eq=False)
class CronLine:
    """A parsed line. Compared by identity: `parse` gives the same object for the same line."""

    fields: tuple[str, ...]
    """As written, in capitals, aliases written out."""
    seconds: int
    minutes: int
    hours: int
    months: int
    days: DaySpec
    follows_elapsed: bool
    """A wildcard or interval in the hour, minute or seconds field; else a fixed wall time (see `fires`)."""


def parse(expression: str, schedule_name: str) -> CronLine:
    """The line as `CronLine`; hashed fields (`H`) take their values from `schedule_name`. Cached.

    Raises:
        ScheduleError: not of the dialect (see `dialect`); names the field and the remedy.
    """
    return _parse(expression, schedule_name if _MAY_BE_HASHED.search(expression) else "")


@lru_cache(maxsize=16_384)
def _parse(expression: str, hash_name: str) -> CronLine:
    fields = dialect.tokens(expression)
    hash_id = hash_name.encode() if dialect.is_hashed(fields) else None
    try:
        expanded = croniter(" ".join(fields), 0.0, hash_id=hash_id)
    except (CroniterError, ValueError) as error:
        raise ScheduleError(f"cron line not understood: {error}", where=repr(expression)) from error
    values = [_mask(cast(list[int | str], field)) for field in expanded.expanded]
    bits = [_filled(index, mask) for index, mask in enumerate(values)] + [1] * (6 - len(values))
    timed = [(MINUTE, bits[MINUTE]), (HOUR, bits[HOUR])] + ([(SECOND, bits[SECOND])] if len(fields) == 6 else [])
    return CronLine(
        fields=fields,
        seconds=bits[SECOND],
        minutes=bits[MINUTE],
        hours=bits[HOUR],
        months=bits[MONTH],
        days=_day_spec(expanded, values[DAY], values[WEEKDAY]),
        follows_elapsed=any(dialect.is_interval(index, fields[index], mask.bit_count()) for index, mask in timed),
    )


def _mask(values: list[int | str]) -> int | None:
    """None for `*`; the `l` of the day field is no number and is read from the expansion itself."""
    if values == ["*"]:
        return None
    return sum(1 << value for value in values if isinstance(value, int))


def _filled(index: int, mask: int | None) -> int:
    low, high = dialect.RANGES[index]
    return (1 << (high + 1)) - (1 << low) if mask is None else mask


def _day_spec(expanded: croniter, days: int | None, weekdays: int | None) -> DaySpec:
    nth = {
        (weekday, LAST if which == "l" else int(which))
        for weekday, whiches in cast(dict[int, set[int | str]], expanded.nth_weekday_of_month).items()
        for which in whiches
    }
    nearest: set[int] = expanded.nearest_weekday
    return DaySpec(
        days=days,
        last_day="l" in expanded.expanded[DAY],
        nearest_weekday=next(iter(nearest)) if nearest else None,
        weekdays=weekdays,
        nth=tuple(sorted(nth)),
    )
