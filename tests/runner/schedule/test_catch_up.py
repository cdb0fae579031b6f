import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.schedule.catch_up import FirePlan, plan
from runner.schedule.fires import count_fires, latest, next_fire
from schemas.automation import CatchUpPolicy, TrainingSchedule

START = datetime(2026, 3, 1, tzinfo=UTC)


def a_schedule(**fields: Any) -> TrainingSchedule:
    return TrainingSchedule(**{"name": "nightly", "cron_expression": "0 * * * *", **fields})


def accounted(made: FirePlan) -> list[tuple[datetime, datetime, int]]:
    """(first, last, count) of every row."""
    rows = [(due.scheduled_for, due.scheduled_for, 1) for due in made.to_queue]
    rows += [(row.first or row.scheduled_for, row.scheduled_for, row.count) for row in made.coalesced]
    rows += [(row.first or row.scheduled_for, row.scheduled_for, row.count) for row in made.missed]
    return sorted(rows)


def test_on_time_is_just_queued() -> None:
    now = START + timedelta(seconds=0.2)
    made = plan(a_schedule(), START - timedelta(hours=1), now)
    assert [(due.scheduled_for, due.caught_up, due.reason) for due in made.to_queue] == [(START, False, "")]
    assert made.to_queue[0].start_deadline == START + timedelta(hours=12)
    assert (made.coalesced, made.missed) == ((), ())
    assert made.watermark == START
    assert made.next_run == START + timedelta(hours=1)


def test_nothing_due_changes_nothing() -> None:
    made = plan(a_schedule(), START, START + timedelta(minutes=59))
    assert made == FirePlan(START, START + timedelta(hours=1))


def test_the_grace_decides_between_on_time_and_late() -> None:
    schedule = a_schedule(catch_up=CatchUpPolicy.NONE)
    just = plan(schedule, START - timedelta(minutes=1), START + timedelta(seconds=60))
    assert len(just.to_queue) == 1
    late = plan(schedule, START - timedelta(minutes=1), START + timedelta(seconds=61))
    assert [row.code for row in late.missed] == ["catch_up_none"]
    assert late.watermark == START


def test_policy_none_misses_all_with_a_reason() -> None:
    now = START + timedelta(hours=5, minutes=30)
    made = plan(a_schedule(catch_up=CatchUpPolicy.NONE), START, now)
    assert [row.scheduled_for.hour for row in made.missed] == [1, 2, 3, 4, 5]
    assert "2026-03-01T05:30" in made.missed[0].reason
    assert made.to_queue == ()


def test_policy_latest_runs_the_newest_and_coalesces_the_rest() -> None:
    now = START + timedelta(hours=5, minutes=30)
    made = plan(a_schedule(), START, now)
    assert [(due.scheduled_for.hour, due.caught_up) for due in made.to_queue] == [(5, True)]
    assert made.to_queue[0].start_deadline == now + timedelta(hours=12)
    assert [row.scheduled_for.hour for row in made.coalesced] == [1, 2, 3, 4]
    assert {row.into for row in made.coalesced} == {START + timedelta(hours=5)}


def test_policy_latest_needs_no_late_run_beside_one_on_time() -> None:
    now = START + timedelta(hours=5, seconds=1)
    made = plan(a_schedule(), START, now)
    assert [(due.scheduled_for.hour, due.caught_up) for due in made.to_queue] == [(5, False)]
    assert [row.scheduled_for.hour for row in made.coalesced] == [1, 2, 3, 4]


def test_policy_all_runs_up_to_the_cap_and_coalesces_older_ones() -> None:
    now = START + timedelta(hours=8, minutes=30)
    made = plan(a_schedule(catch_up=CatchUpPolicy.ALL, catch_up_cap=3), START, now)
    assert [due.scheduled_for.hour for due in made.to_queue] == [6, 7, 8]
    assert [row.scheduled_for.hour for row in made.coalesced] == [1, 2, 3, 4, 5]
    assert {row.into.hour for row in made.coalesced} == {6}


@pytest.mark.parametrize("policy", [CatchUpPolicy.LATEST, CatchUpPolicy.ALL])
def test_older_than_the_window_is_missed_whatever_the_policy(policy: CatchUpPolicy) -> None:
    now = START + timedelta(hours=6, minutes=30)
    made = plan(a_schedule(catch_up=policy, catch_up_window_hours=3), START, now)
    assert [(row.scheduled_for.hour, row.code) for row in made.missed] == [(h, "catch_up_window") for h in (1, 2, 3)]
    assert "3 h" in made.missed[0].reason


def test_all_of_it_older_than_the_window_runs_nothing() -> None:
    daily = a_schedule(cron_expression="0 2 * * *", catch_up_window_hours=1)
    made = plan(daily, START, START + timedelta(days=1, hours=12))
    assert (len(made.missed), made.to_queue, made.coalesced) == (2, (), ())


def test_a_paused_schedule_misses_with_the_note() -> None:
    made = plan(a_schedule(), START, START + timedelta(hours=2), pause_note="holidays")
    assert [(row.code, row.reason) for row in made.missed] == [("paused", "the schedule was paused: holidays")] * 2
    assert made.to_queue == ()


def test_a_clock_set_back_fires_nothing_again() -> None:
    made = plan(a_schedule(), START, START - timedelta(days=1))
    assert made == FirePlan(START, START + timedelta(hours=1))


def test_a_year_of_minutes_is_one_range_and_the_newest_rows() -> None:
    schedule = a_schedule(cron_expression="* * * * *", timezone="America/New_York", catch_up=CatchUpPolicy.NONE)
    now = START + timedelta(days=365, seconds=30)
    tracemalloc.start()
    made = plan(schedule, START, now)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made.occurrences == 365 * 1440
    assert len(made.missed) == 101  # the range, and the newest hundred late ones; the last one of all is on time
    assert made.missed[0].first == START + timedelta(minutes=1)
    assert made.missed[0].count == 365 * 1440 - 101
    assert "stands for 525499 occurrences from 2026-03-01T00:01" in made.missed[0].reason
    assert peak < 4_000_000


def test_a_year_of_seconds_is_accounted_for_too() -> None:
    schedule = a_schedule(cron_expression="* * * * * *", timezone="Europe/London")
    made = plan(schedule, START, START + timedelta(days=365))
    assert made.occurrences == 365 * 86_400
    assert len(accounted(made)) < 400


def test_a_schedule_that_has_no_next_fire() -> None:
    made = plan(a_schedule(cron_expression="0 0 30 2 *"), START, START + timedelta(days=400))
    assert made == FirePlan(START, None)


LINES = ["0 * * * *", "*/7 * * * *", "30 2 * * *", "* * * * *", "0 12 * * MON", "0 0 1 * *", "15,45 1-3 * * *"]
SCHEDULES = st.builds(
    a_schedule,
    cron_expression=st.sampled_from(LINES),
    timezone=st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
    catch_up=st.sampled_from(list(CatchUpPolicy)),
    catch_up_window_hours=st.sampled_from([0.01, 1.0, 24.0, 2000.0]),
    catch_up_cap=st.integers(1, 20),
)


@settings(max_examples=150, deadline=None)
@given(
    SCHEDULES,
    st.integers(0, 60 * 24 * 40),
    st.integers(0, 86_400 * 40),
    st.integers(0, 999_999),
    st.integers(1, 30),
    st.sampled_from([0.0, 60.0, 7200.0]),
)
def test_every_due_occurrence_ends_in_exactly_one_row(
    schedule: TrainingSchedule, minutes: int, downtime_s: int, us: int, bound: int, grace_s: float
) -> None:
    watermark = START + timedelta(minutes=minutes)
    now = watermark + timedelta(seconds=downtime_s, microseconds=us)
    made = plan(schedule, watermark, now, row_bound=bound, grace_s=grace_s)
    clock = (schedule.name, schedule.cron_expression, schedule.timezone)
    total = count_fires(*clock, watermark, now)
    due = latest(*clock, watermark, now, total)
    assert made.occurrences == total
    rows = accounted(made)
    covered = 0
    for first, last, count in rows:  # the rows cut the due instants into consecutive stretches, none left, none twice
        assert due[covered] == first
        assert due[covered + count - 1] == last
        covered += count
    assert covered == len(due)
    assert made.watermark == (due[-1] if due else watermark)
    assert made.next_run == next_fire(*clock, now)
    assert len(made.coalesced) <= bound + 1
    queued = {row.scheduled_for for row in made.to_queue}
    assert all(row.into in queued for row in made.coalesced)
    again = plan(schedule, made.watermark, now, row_bound=bound, grace_s=grace_s)
    assert again.occurrences == 0, "a second look at the same moment finds nothing"
