"""Time zones as stretches of constant UTC offset. Instants are ints: seconds since 1970-01-01 00:00 UTC."""

from bisect import bisect_right
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from schemas.errors import ScheduleError

_BUCKET_BITS = 25
"""Offsets are looked up in buckets of 2**25 s (388 days), computed when first asked for."""
_PROBE_S = 86_400
"""Two changes of offset less than a day apart would be missed; no zone has had them since 1970."""
_MARGIN_S = 2 * _PROBE_S


class OffsetPeriod(NamedTuple):
    """Instants [start, end) with one offset. Where a bucket ends, the neighbour's offset is the same."""

    start: int
    end: int
    offset: int
    """Seconds that the wall is ahead of UTC."""
    offset_before: int
    """Of the stretch that ends at `start`."""
    offset_after: int
    """Of the stretch that begins at `end`."""

    @property
    def shift_at_start(self) -> int:
        """Over 0: the wall jumped over so many seconds at `start`; under 0: it repeated them."""
        return self.offset - self.offset_before

    @property
    def shift_at_end(self) -> int:
        """As `shift_at_start`, at `end`."""
        return self.offset_after - self.offset


class Zone:
    """One time zone; make it with `zone`, which caches."""

    def __init__(self, info: ZoneInfo) -> None:
        self._info = info
        self._buckets: dict[int, tuple[list[int], list[OffsetPeriod]]] = {}

    def period(self, instant: int) -> OffsetPeriod:
        """The stretch that holds `instant`."""
        bucket = instant >> _BUCKET_BITS
        known = self._buckets.get(bucket)
        if known is None:
            known = self._buckets[bucket] = self._look_up(bucket)
        starts, stretches = known
        return stretches[bisect_right(starts, instant) - 1]

    def first_instant(self, wall: int) -> int:
        """When the wall shows `wall` for the first time; the end of the gap if the wall jumps over it."""
        period = self.period(wall - _PROBE_S)
        while True:
            instant = wall - period.offset
            if instant < period.start:
                return period.start
            if instant < period.end:
                return instant
            period = self.period(period.end)

    def _look_up(self, bucket: int) -> tuple[list[int], list[OffsetPeriod]]:
        first = (bucket << _BUCKET_BITS) - _MARGIN_S
        last = ((bucket + 1) << _BUCKET_BITS) + _MARGIN_S
        edges, offsets = [first], [self._offset(first)]
        for probe in range(first + _PROBE_S, last + _PROBE_S, _PROBE_S):
            offset = self._offset(probe)
            if offset != offsets[-1]:
                edges.append(self._change(probe - _PROBE_S, probe))
                offsets.append(offset)
        edges.append(last)
        around = [offsets[0], *offsets, offsets[-1]]
        stretches = [
            OffsetPeriod(edges[index], edges[index + 1], offsets[index], around[index], around[index + 2])
            for index in range(len(offsets))
        ]
        return edges[:-1], stretches

    def _change(self, before: int, after: int) -> int:
        """The first instant of the new offset, by bisection."""
        old = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if self._offset(middle) == old else (before, middle)
        return after

    def _offset(self, instant: int) -> int:
        offset = datetime.fromtimestamp(instant, UTC).astimezone(self._info).utcoffset()
        assert offset is not None
        return offset.days * 86_400 + offset.seconds


@lru_cache(maxsize=1_024)
def zone(name: str) -> Zone:
    """The time zone of that IANA name.

    Raises:
        ScheduleError: no such zone; suggests near names.
    """
    try:
        return Zone(ZoneInfo(name))
    except (KeyError, ValueError, OSError) as error:  # unknown, no relative path, a folder such as `America`
        known = {zone_name.lower(): zone_name for zone_name in sorted(available_timezones())}
        near = [known[found] for found in get_close_matches(name.lower(), known, n=3)]
        hint = f"Did you mean {' or '.join(near)}?" if near else "Give an IANA name such as Europe/London."
        raise ScheduleError(f"unknown time zone {name!r}", where="timezone", remedy=hint) from error
