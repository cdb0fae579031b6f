from datetime import UTC, datetime, timedelta

import pytest

from schemas.times import duration, wall_time

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("UTC", "2026-11-21 12:00:00 UTC"),
        ("Europe/Berlin", "2026-11-21 13:00:00 +01:00"),
        ("America/New_York", "2026-11-21 07:00:00 -05:00"),
        ("Asia/Kathmandu", "2026-11-21 17:45:00 +05:45"),
        ("Pacific/Kiritimati", "2026-11-22 02:00:00 +14:00"),
        ("No/Such_Zone", "2026-11-21 12:00:00 +00:00"),
    ],
)
def test_a_wall_time_carries_its_offset(zone: str, told: str) -> None:
    assert wall_time(NOON, zone) == told
    assert wall_time(NOON, zone, to="minutes") == told.replace(":00 ", " ", 1)


def test_both_passes_of_a_repeated_hour_are_told_apart() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert wall_time(first, "Europe/Berlin") == "2026-10-25 02:30:00 +02:00"
    assert wall_time(first + timedelta(hours=1), "Europe/Berlin") == "2026-10-25 02:30:00 +01:00"


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=2, minutes=5), "2 h 05 min"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
        (timedelta(days=14), "2 weeks"),
        (timedelta(days=37), "5 weeks 2 d"),
        (timedelta(hours=27_139), "3 years 5 weeks"),
    ],
)
def test_a_span_is_told_in_units_a_person_counts_in(span: timedelta, told: str) -> None:
    assert duration(span) == told
