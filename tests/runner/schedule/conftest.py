"""The definition of fire times, written out slowly: croniter walks a wall without zones, zoneinfo does the rest.

It shares no code with `runner.schedule`; the golden files were made by it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

Definition = Callable[[str, str, datetime, datetime], list[datetime]]


def follows_elapsed(expression: str) -> bool:
    fields = expression.split()
    expanded, _ = croniter.expand(expression)
    timed = [0, 1] + ([5] if len(fields) == 6 else [])
    return any("/" in fields[index] or expanded[index] == ["*"] for index in timed)


def fires_by_definition(expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """All fires in (after, until], as `runner.schedule.fires` defines them in its docstring."""
    info, elapsed = ZoneInfo(zone), follows_elapsed(expression)
    fires: set[datetime] = set()
    walk = croniter(expression, (after - timedelta(days=2)).replace(tzinfo=None, microsecond=0))
    end = (until + timedelta(days=2)).replace(tzinfo=None)
    while (wall := walk.get_next(datetime)) <= end:
        fires.update(_instants(wall, info, elapsed))
    return sorted(fire for fire in fires if after < fire <= until)


def _instants(wall: datetime, info: ZoneInfo, elapsed: bool) -> set[datetime]:
    first, second = (wall.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1))
    exists = first.astimezone(info).replace(tzinfo=None) == wall
    if elapsed:
        # PEP 495: in a gap, fold=0 takes the offset from before it.
        return {first, second} if exists else {first}
    return {first} if exists else {_gap_end(first, info)}


def _gap_end(by_old_offset: datetime, info: ZoneInfo) -> datetime:
    """The instant at which the wall jumped: `by_old_offset` lies after it, with the offset changed."""
    offset = by_old_offset.astimezone(info).utcoffset()
    instant = by_old_offset
    while (instant - timedelta(minutes=1)).astimezone(info).utcoffset() == offset:
        instant -= timedelta(minutes=1)
    return instant.replace(second=0)


@pytest.fixture(scope="session")
def definition() -> Definition:
    return fires_by_definition
