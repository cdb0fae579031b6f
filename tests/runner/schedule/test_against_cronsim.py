"""Differential test against cronsim, an independent implementation after Debian cron; every difference explained.

`KNOWN_DIFFERENCES` is the whole table: a fire that only one of the two has must be claimed by exactly one entry.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from runner.schedule.cron import parse
from runner.schedule.fires import count_fires, latest

ZONES = ["America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC"]
LINES = [
    "0 2 * * *", "30 2 * * *", "30 1 * * *", "0 0 * * *", "0,30 1-3 * * *", "0-29 1,2 * * *", "15 0-4 * * 0",
    "0 * * * *", "*/30 * * * *", "*/7 1-3 * * *", "* 2 * * *", "0 */2 * * *", "0 */3 * * *", "10/25 * * * *",
    "0 1-5/2 * * *", "0/20 2 * * *", "0 2 * * * 0", "30 1 * * * 15,45", "0 12 L * *", "0 12 * * L5", "0 12 * * 5#2",
    "0 12 1,15 * MON", "0 12 29 2 *", "0 9-17 * * MON-FRI", "0 22-2 * * *", "0 0 1 JAN,JUL *", "0 3 * * 7",
]  # fmt: skip
SPANS = [(datetime(2026, 1, 1, 12, tzinfo=UTC), 3), (datetime(2017, 1, 1, 12, tzinfo=UTC), 2)]
"""The second one has Sao Paulo's summer time, which changed at midnight."""


@dataclass(frozen=True)
class Difference:
    """One fire that only one of the two has."""

    line: str
    fire: datetime
    ours: bool
    jumped: timedelta
    """By how much the wall jumped at the nearest change of clocks; negative: it repeated."""
    since_change: timedelta
    """From that change to the fire."""

    @property
    def elapsed(self) -> bool:
        return parse(self.line, "any").follows_elapsed

    @property
    def fixed_to_cronsim(self) -> bool:
        """cronsim moves and de-duplicates only five-field lines whose minute and hour do not start with a star."""
        fields = self.line.split()
        return len(fields) == 5 and not fields[0].startswith("*") and not fields[1].startswith("*")

    @property
    def in_gap_shadow(self) -> bool:
        return self.jumped > timedelta(0) and timedelta(0) <= self.since_change < self.jumped

    @property
    def in_second_pass(self) -> bool:
        return self.jumped < timedelta(0) and timedelta(0) <= self.since_change < -self.jumped


def star_line_made_up_for(d: Difference) -> bool:
    """We make up for times the wall jumps over as time elapses; cronsim's star lines skip them."""
    return d.elapsed and not d.fixed_to_cronsim and d.in_gap_shadow and d.ours


def step_without_a_star_in_the_gap(d: Difference) -> bool:
    """A step is an interval to us: made up for as time elapses. Without a star cronsim moves it to the gap's end."""
    return d.elapsed and d.fixed_to_cronsim and d.in_gap_shadow


def step_without_a_star_in_the_overlap(d: Difference) -> bool:
    """A step is an interval to us: both passes fire. Without a star only the first does in cronsim."""
    return d.elapsed and d.fixed_to_cronsim and d.in_second_pass and d.ours


def fixed_with_seconds_in_the_gap(d: Difference) -> bool:
    """We move it to the gap's end; cronsim never moves a line of six fields, and skips it."""
    return not d.elapsed and not d.fixed_to_cronsim and d.in_gap_shadow and d.ours and not d.since_change


def fixed_with_seconds_in_the_overlap(d: Difference) -> bool:
    """Only the first pass fires by us; cronsim fires a line of six fields in both."""
    return not d.elapsed and not d.fixed_to_cronsim and d.in_second_pass and not d.ours


def half_hour_change(d: Difference) -> bool:
    """Lord Howe's clocks change by half an hour. cronsim then steps on by whole hours at half past, and so drops the
    first half of the hours 02 and 03 that the wall does show: a fault of cronsim's."""
    half, since = timedelta(minutes=30), d.since_change
    passed_over = half <= since < 2 * half or (d.jumped < timedelta(0) and 3 * half <= since < 4 * half)
    return not d.fixed_to_cronsim and d.ours and abs(d.jumped) == half and passed_over


KNOWN_DIFFERENCES = (
    star_line_made_up_for,
    step_without_a_star_in_the_gap,
    step_without_a_star_in_the_overlap,
    fixed_with_seconds_in_the_gap,
    fixed_with_seconds_in_the_overlap,
    half_hour_change,
)


def for_cronsim(line: str) -> str:
    fields = ["5L" if field == "L5" else field for field in line.split()]
    if fields[1] == "22-2":
        fields[1] = "22,23,0,1,2"  # cronsim knows no range that wraps around
    return " ".join([fields[-1], *fields[:-1]] if len(fields) == 6 else fields)


def by_cronsim(line: str, zone: str, after: datetime, until: datetime) -> set[datetime]:
    fires: set[datetime] = set()
    walk = CronSim(for_cronsim(line), after.astimezone(ZoneInfo(zone)))
    for fire in walk:
        if fire.astimezone(UTC) > until:
            return fires
        fires.add(fire.astimezone(UTC))
    return fires


def windows(zone: str) -> list[tuple[datetime, datetime, datetime]]:
    """(change of clocks, from, until) for each change in the spans, a day around it."""
    info, found = ZoneInfo(zone), []
    for start, years in SPANS:
        for hour in range(years * 366 * 24):
            instant = start + timedelta(hours=hour)
            if instant.astimezone(info).utcoffset() != (instant + timedelta(hours=1)).astimezone(info).utcoffset():
                exact = next(
                    moment
                    for moment in (instant + timedelta(minutes=minute) for minute in range(1, 61))
                    if moment.astimezone(info).utcoffset() != instant.astimezone(info).utcoffset()
                )
                found.append((exact, exact - timedelta(hours=20), exact + timedelta(hours=20)))
    return found


def ours(line: str, zone: str, after: datetime, until: datetime) -> set[datetime]:
    return set(latest("any", line, zone, after, until, count_fires("any", line, zone, after, until)))


def differences(zone: str) -> list[Difference]:
    info, found = ZoneInfo(zone), []
    for change, after, until in windows(zone):
        jumped = change.astimezone(info).utcoffset() - (change - timedelta(seconds=1)).astimezone(info).utcoffset()
        for line in LINES:
            mine, theirs = ours(line, zone, after, until), by_cronsim(line, zone, after, until)
            found += [Difference(line, fire, fire in mine, jumped, fire - change) for fire in mine ^ theirs]
    return found


def test_every_difference_around_the_changes_of_clocks_is_explained() -> None:
    used = set()
    for zone in ZONES:
        for difference in differences(zone):
            reasons = [holds for holds in KNOWN_DIFFERENCES if holds(difference)]
            assert len(reasons) == 1, (zone, difference, reasons)
            used.update(reasons)
    assert used == set(KNOWN_DIFFERENCES), "an entry of the table explains nothing"


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "UTC", "America/Sao_Paulo"])
def test_without_a_change_of_clocks_there_is_no_difference(zone: str) -> None:
    after = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for line in LINES:
        dense = count_fires("any", line, zone, after, after + timedelta(days=2)) > 10
        until = after + timedelta(days=8 if dense else 1500)
        assert ours(line, zone, after, until) == by_cronsim(line, zone, after, until), line
