"""A cron line as sets of values, ready to be walked. croniter parses; what it expands to is kept as bit masks."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast

from croniter import croniter
from croniter.croniter import HashExpander

from runner.schedule import cron_syntax
from runner.schedule.cron_syntax import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY

LAST = 0
"""In `DaySpec.nth`: the last such weekday of the month."""

_UNRESTRICTED = ("*", "?")
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


@dataclass(frozen=True, slots=True)
class _Field:
    """What croniter makes of one field."""

    mask: int
    """Bits of the values; all of them for `*`."""
    last_day: bool
    nearest_weekday: int | None
    nth: tuple[tuple[int, int], ...]


@lru_cache(maxsize=16_384)
def _parse(expression: str, hash_name: str) -> CronLine:
    tokens = cron_syntax.tokens(expression)
    hash_id = hash_name.encode() if cron_syntax.is_hashed(tokens) else None
    fields = [_field(index, _settled(index, token, hash_id)) for index, token in enumerate(tokens)]
    timed = (MINUTE, HOUR, SECOND)[: 3 if len(tokens) == 6 else 2]
    return CronLine(
        fields=tokens,
        seconds=fields[SECOND].mask if len(tokens) == 6 else 1,
        minutes=fields[MINUTE].mask,
        hours=fields[HOUR].mask,
        months=fields[MONTH].mask,
        days=DaySpec(
            days=None if tokens[DAY] in _UNRESTRICTED else fields[DAY].mask,
            last_day=fields[DAY].last_day,
            nearest_weekday=fields[DAY].nearest_weekday,
            weekdays=None if tokens[WEEKDAY] in _UNRESTRICTED else fields[WEEKDAY].mask,
            nth=fields[WEEKDAY].nth,
        ),
        follows_elapsed=any(cron_syntax.is_interval(index, tokens[index], fields[index].mask) for index in timed),
    )


def _settled(index: int, token: str, hash_id: bytes | None) -> str:
    """A hashed field with the values it takes for this name, by croniter; any other as it is."""
    if hash_id is None:
        return token
    return str(HashExpander(cast(Any, croniter)).expand("", index, token.lower(), hash_id=hash_id))


@lru_cache(maxsize=8_192)
def _field(index: int, token: str) -> _Field:
    """One field alone: no field's meaning depends on another, but for what `dialect` refuses. Cached, since thousands
    of lines share a few hundred fields."""
    parsed = croniter(cron_syntax.alone(index, token), 0.0)
    values = cast(list[int | str], parsed.expanded[index])
    low, high = cron_syntax.RANGES[index]
    mask = (1 << (high + 1)) - (1 << low) if values == ["*"] else sum(1 << v for v in values if isinstance(v, int))
    nth = {
        (weekday, LAST if which == "l" else int(which))
        for weekday, whiches in cast(dict[int, set[int | str]], parsed.nth_weekday_of_month).items()
        for which in whiches
    }
    nearest: set[int] = parsed.nearest_weekday
    return _Field(mask, "l" in values, next(iter(nearest)) if nearest else None, tuple(sorted(nth)))
