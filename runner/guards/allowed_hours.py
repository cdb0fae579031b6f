"""The hours of the day in which runs may start."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.errors import SettingsError

_DAY_MINUTES = 24 * 60
_SPAN = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*-\s*(\d{1,2})(?::(\d{2}))?")
_EXAMPLE = "Write spans of local time such as `22-6,12:30-14`, or nothing for always."


@dataclass(frozen=True, slots=True)
class AllowedHours:
    """Spans of minutes of the local day, the end excluded; a span whose end comes first goes over midnight."""

    text: str
    zone: ZoneInfo
    spans: tuple[tuple[int, int], ...]

    def contains(self, now: datetime) -> bool:
        """True when a run may start at this instant, by the zone's wall clock; without spans, always."""
        if not self.spans:
            return True
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return any(
            start <= minute < end if start < end else minute >= start or minute < end for start, end in self.spans
        )


@lru_cache(maxsize=64)
def parse_hours(text: str, timezone: str) -> AllowedHours:
    """Read `GuardSettings.allowed_hours` and its zone.

    Raises:
        SettingsError: a span that cannot be read or is empty, or an unknown time zone.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"unknown time zone {timezone!r}",
            where="guards.allowed_hours_timezone",
            remedy="Use a name such as `Europe/Berlin`.",
        ) from error
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    return AllowedHours(text=text.strip(), zone=zone, spans=tuple(_span(part) for part in parts))


def _span(part: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(part)
    if match is None:
        raise SettingsError(f"{part!r} is no span of hours", where="guards.allowed_hours", remedy=_EXAMPLE)
    start, end = _minute(part, match[1], match[2]), _minute(part, match[3], match[4])
    if start == end or (start, end) == (_DAY_MINUTES, 0):
        raise SettingsError(f"the span {part!r} is empty", where="guards.allowed_hours", remedy=_EXAMPLE)
    return start % _DAY_MINUTES, end


def _minute(part: str, hours: str, minutes: str | None) -> int:
    value = int(hours) * 60 + int(minutes or 0)
    if int(minutes or 0) > 59 or value > _DAY_MINUTES:
        raise SettingsError(f"{part!r} names a time that no day has", where="guards.allowed_hours", remedy=_EXAMPLE)
    return value
