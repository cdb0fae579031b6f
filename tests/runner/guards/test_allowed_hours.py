"""The hours in which runs may start."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.guards.allowed_hours import parse_hours
from schemas.errors import SettingsError


def at(hour, minute=0, zone="UTC"):
    return datetime(2026, 3, 4, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", [(0, 0), (12, 0), (23, 59)], []),
        ("  ", [(3, 0)], []),
        ("8-18", [(8, 0), (17, 59)], [(7, 59), (18, 0), (0, 0)]),
        ("22-6", [(22, 0), (23, 59), (0, 0), (5, 59)], [(6, 0), (21, 59), (12, 0)]),
        ("22-6,12-14", [(13, 0), (23, 0), (3, 0)], [(6, 0), (11, 59), (14, 0)]),
        ("22:30 - 6:15", [(22, 30), (6, 14)], [(22, 29), (6, 15)]),
        ("0-24", [(0, 0), (23, 59)], []),
        ("18-24", [(18, 0), (23, 59)], [(0, 0), (17, 59)]),
        ("18-0", [(18, 0), (23, 59)], [(0, 0), (17, 59)]),
        ("24-6", [(0, 0), (5, 59)], [(6, 0), (23, 59)]),
    ],
)
def test_spans(text, inside, outside):
    hours = parse_hours(text, "UTC")
    assert all(hours.contains(at(*moment)) for moment in inside)
    assert not any(hours.contains(at(*moment)) for moment in outside)


def test_the_zone_s_wall_clock_counts():
    hours = parse_hours("22-6", "America/New_York")
    assert hours.contains(at(23, zone="America/New_York"))
    assert not hours.contains(at(23))
    # 22:30 in New York is 03:30 UTC in winter and 02:30 UTC in summer.
    assert hours.contains(datetime(2026, 1, 5, 3, 0, tzinfo=UTC))
    assert hours.contains(datetime(2026, 7, 5, 2, 0, tzinfo=UTC))
    assert not hours.contains(datetime(2026, 1, 5, 2, 59, tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["8", "8-", "a-b", "8-25", "24:01-3", "8:60-9", "8-8", "0-0", "24-24", "8-9;10-11", "8-9,,", "-1-5"]
)
def test_what_cannot_be_read_is_refused_with_an_example(text):
    with pytest.raises(SettingsError, match=r"guards\.allowed_hours.*22-6"):
        parse_hours(text, "UTC")


@pytest.mark.parametrize("zone", ["Nowhere/Atall", "", "../etc/passwd", "x" * 300])
def test_an_unknown_zone_is_refused(zone):
    with pytest.raises(SettingsError, match="allowed_hours_timezone"):
        parse_hours("8-18", zone)


@hypothesis.settings(deadline=None)
@given(start=st.integers(0, 1439), length=st.integers(1, 1439), minute=st.integers(0, 1439))
def test_a_span_holds_exactly_its_minutes(start, length, minute):
    end = (start + length) % 1440
    text = f"{start // 60}:{start % 60:02}-{end // 60}:{end % 60:02}"
    moment = datetime(2026, 3, 4, tzinfo=UTC) + timedelta(minutes=minute, seconds=30)
    assert parse_hours(text, "UTC").contains(moment) == ((minute - start) % 1440 < length)
