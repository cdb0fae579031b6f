"""Instants as aware UTC datetimes: as text that sorts, and, with spans, as a person reads them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_S, _HOUR_S, _DAY_S, _WEEK_S = 60, 3600, 86_400, 7 * 86_400
_YEAR_S = 31_556_952
"""The mean one of the Gregorian calendar: 365.2425 days."""


def to_text(instant: datetime) -> str:
    """`2026-11-21T20:30:00.000000Z`: fixed width, so that text order is time order, and SQLite reads it too.

    Raises:
        ValueError: `instant` is naive, or its offset moves it out of the years 1 to 9999.
    """
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime {instant!r}: every instant here is aware UTC")
    return _in_utc(instant).isoformat(timespec="microseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """The inverse of `to_text`; also reads any other ISO 8601 instant that carries an offset.

    Raises:
        ValueError: no ISO 8601 instant, one without an offset, or out of the years 1 to 9999.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"instant {text!r} carries no UTC offset")
    return _in_utc(instant)


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{instant.isoformat()} lies outside the years 1 to 9999") from error


def kept_instant(text: object) -> datetime:
    """An instant as a row keeps it, read as well as can be where somebody wrote it by hand, so that it costs no other
    row: without an offset it is UTC (as SQLite's own `datetime()` writes it), and what is no instant is the first one
    of 1970."""
    try:
        instant = datetime.fromisoformat(str(text))
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return EPOCH


def from_microseconds(number: int) -> datetime:
    """An instant that a row keeps as microseconds since 1970; what is none is the first one."""
    try:
        return EPOCH + timedelta(microseconds=number)
    except (TypeError, OverflowError):
        return EPOCH


def wall_time(instant: datetime, timezone: str = "UTC", *, to: str = "seconds") -> str:
    """`2026-11-21 20:30:00 +01:00` in that zone, `2026-11-21 19:30:00 UTC` in UTC.

    Args:
        timezone: an IANA name; a name that this machine does not know reads as UTC.
        to: `seconds` or `minutes`.
    """
    local = in_zone(instant, _zone(timezone)).isoformat(" ", "seconds")
    shown = local[:19] if to == "seconds" else local[:16]
    return f"{shown} {'UTC' if timezone == 'UTC' else local[19:]}"


def in_zone(instant: datetime, zone: ZoneInfo) -> datetime:
    """The instant by that zone's clock; in UTC at the ends of the calendar, which a person may write into a row ("not
    before 9999") and which no clock east or west of Greenwich reaches."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant.astimezone(UTC)


def duration(span: timedelta) -> str:
    """`12 s`, `7 min`, `2 h 05 min`, `3 d 4 h`, `5 weeks 2 d`, `3 years 7 weeks`: two units at most."""
    seconds = int(span.total_seconds())
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min"
    if seconds < 2 * _DAY_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S:02d} min"
    if seconds < 2 * _WEEK_S:
        return _two(seconds, _DAY_S, "d", _HOUR_S, "h")
    if seconds < 2 * _YEAR_S:
        return _two(seconds, _WEEK_S, "weeks", _DAY_S, "d")
    return _two(seconds, _YEAR_S, "years", _WEEK_S, "weeks")


def _two(seconds: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = seconds % large_s // small_s
    return f"{seconds // large_s} {large} {rest} {small}" if rest else f"{seconds // large_s} {large}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
