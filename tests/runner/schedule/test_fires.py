from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.schedule.cron import parse
from runner.schedule.fires import between, check, count_fires, latest, next_fire, upcoming
from runner.schedule.wall_clock import next_wall_time
from schemas.errors import ScheduleError

ZONES = ["America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC",
         "Africa/Casablanca", "Europe/Dublin"]  # fmt: skip
CHANGES = [  # instants around which something happens in one of the zones
    datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2018, 11, 4, 3, tzinfo=UTC), datetime(2018, 2, 18, 2, tzinfo=UTC),
    datetime(2026, 2, 15, 2, tzinfo=UTC), datetime(2026, 3, 22, 2, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC),
]  # fmt: skip


def a_field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    pair = st.tuples(value, value).filter(lambda ends: ends[0] < ends[1])
    step = st.integers(1, high - low + 1)
    return st.one_of(
        st.just("*"),
        value.map(str),
        st.lists(value, min_size=1, max_size=4, unique=True).map(lambda values: ",".join(map(str, values))),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        step.map(lambda by: f"*/{by}"),
        st.tuples(pair, st.integers(1, 5)).map(lambda made: f"{made[0][0]}-{made[0][1]}/{made[1]}"),
    )


def day_fields() -> st.SearchStrategy[tuple[str, str]]:
    restricted_day = st.lists(st.integers(1, 31), min_size=1, max_size=4, unique=True)
    days = restricted_day.map(lambda values: ",".join(map(str, values)))
    weekdays = st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True).map(lambda v: ",".join(map(str, v)))
    special_day = st.sampled_from(["L", "15,L", "1-7", "*/2", "20-31/3", "15W", "31W", "1W"])
    special_weekday = st.sampled_from(["MON-FRI", "L5", "5#2", "1#5", "SUN", "7", "0#1,3#3", "5-7"])
    return st.one_of(
        st.just(("*", "*")),
        st.tuples(days | special_day, st.just("*")),
        st.tuples(st.just("*"), weekdays | special_weekday),
        st.tuples(days | st.just("1-31"), weekdays | st.just("0-6")),
    )


EXPRESSIONS = st.builds(
    lambda minute, hour, days, month: f"{minute} {hour} {days[0]} {month} {days[1]}",
    a_field(0, 59),
    a_field(0, 23),
    day_fields(),
    st.one_of(st.just("*"), st.just("*"), a_field(1, 12)),
)
MOMENTS = st.builds(
    lambda change, minutes, us: change + timedelta(minutes=minutes, microseconds=us),
    st.sampled_from(CHANGES),
    st.integers(-2000, 2000),
    st.sampled_from([0, 0, 1, 999_999, 30_000_000]),
)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, MOMENTS)
def test_walls_are_croniters_walls(expression: str, after: datetime) -> None:
    line, wall = parse(expression, "any"), int(after.timestamp())
    walk = croniter(expression, after.replace(tzinfo=None, microsecond=0))
    for _ in range(5):
        try:
            expected = walk.get_next(datetime)
        except ValueError:  # 30 February: croniter gives up, or runs past the year 9999
            assert next_wall_time(line, wall) is None
            return
        found = next_wall_time(line, wall)
        assert found is not None
        wall = found
        assert datetime.fromtimestamp(wall, UTC).replace(tzinfo=None) == expected


@settings(max_examples=100, deadline=None)
@given(st.text("abcxyz-_.019", min_size=1, max_size=12), MOMENTS)
def test_hashed_lines_are_croniters(name: str, after: datetime) -> None:
    line = "H(0-29)/7 H * H H/2 H"
    walk = croniter(line, after.replace(tzinfo=None, microsecond=0), hash_id=name)
    expected = [walk.get_next(datetime).replace(tzinfo=UTC) for _ in range(5)]
    assert upcoming(name, line, "UTC", after, 5) == expected


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.sampled_from(ZONES), MOMENTS)
def test_fires_are_those_of_the_definition(
    definition: Callable[..., list[datetime]], expression: str, zone: str, after: datetime
) -> None:
    until = after + timedelta(hours=9)
    try:
        expected = definition(expression, zone, after, until)
    except ValueError:  # the line never fires
        expected = []
    found = latest("any", expression, zone, after, until, 10_000)
    assert found == expected
    assert count_fires("any", expression, zone, after, until) == len(expected)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, st.sampled_from(ZONES), MOMENTS)
def test_fires_strictly_increase_and_stand_on_the_wall(expression: str, zone: str, after: datetime) -> None:
    fires = upcoming("any", expression, zone, after, 20)
    assert all(earlier < later for earlier, later in pairwise([after, *fires]))
    for fire in fires:
        wall = fire.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert wall.replace(tzinfo=ZoneInfo(zone), fold=fire.astimezone(ZoneInfo(zone)).fold).astimezone(UTC) == fire


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, st.sampled_from(ZONES), MOMENTS, st.integers(0, 5000))
def test_the_next_fire_never_moves_back_as_time_goes_on(
    expression: str, zone: str, after: datetime, minutes: int
) -> None:
    later = after + timedelta(minutes=minutes)
    first, second = (next_fire("any", expression, zone, moment) for moment in (after, later))
    if first is None or second is None:
        assert first is second is None
    else:
        assert first <= second
        assert first == second or first <= later


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES), MOMENTS)
def test_a_fixed_wall_time_fires_once_a_day(hour: int, minute: int, zone: str, after: datetime) -> None:
    info = ZoneInfo(zone)
    fires = upcoming("any", f"{minute} {hour} * * *", zone, after, 12)
    days = [fire.astimezone(info).date() for fire in fires]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    for fire in fires:
        local = fire.astimezone(info)
        assert local.fold == 0, "the second pass never fires"
        before = (fire - timedelta(seconds=1)).astimezone(info)
        jumped = local.utcoffset() != before.utcoffset()
        assert (local.hour, local.minute) == (hour, minute) or jumped


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([1, 2, 3, 5, 6, 10, 15, 30]), st.sampled_from(ZONES), MOMENTS)
def test_an_interval_is_never_longer_than_it_says(step: int, zone: str, after: datetime) -> None:
    fires = upcoming("any", f"*/{step} * * * *", zone, after, 200)
    assert max(later - earlier for earlier, later in pairwise(fires)) <= timedelta(minutes=step)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, st.sampled_from(ZONES), MOMENTS, st.integers(1, 60), st.integers(1, 40))
def test_latest_is_the_tail_of_all(expression: str, zone: str, after: datetime, days: int, count: int) -> None:
    until = after + timedelta(days=days)
    total = count_fires("any", expression, zone, after, until)
    tail = latest("any", expression, zone, after, until, count)
    assert len(tail) == min(total, count)
    if tail:
        assert after < tail[0]
        assert tail[-1] <= until
        assert count_fires("any", expression, zone, tail[0], until) == len(tail) - 1
        following = next_fire("any", expression, zone, tail[-1])
        assert following is None or following > until


@pytest.mark.parametrize("expression", ["7 * * * *", "*/20 * * * *", "45 1,2,3 * * *"])
@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # half an hour back
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),  # and on
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ],
)
def test_what_is_counted_over_a_change_of_the_clocks_is_what_fires(
    zone: str, change: datetime, expression: str
) -> None:
    after, until = change - timedelta(days=3), change + timedelta(days=3)
    fires, _ = between("any", expression, zone, after, until, 1000)
    for cut in (timedelta(0), timedelta(minutes=50), timedelta(minutes=100), timedelta(days=2)):
        wanted = [fire for fire in fires if fire <= change + cut]
        assert count_fires("any", expression, zone, after, change + cut) == len(wanted) > 0


def test_seconds_stand_last() -> None:
    fires = upcoming("any", "30 2 * * * */20", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 4)
    assert [f"{fire:%d %H:%M:%S}" for fire in fires] == ["01 02:30:00", "01 02:30:20", "01 02:30:40", "02 02:30:00"]


def test_a_batch_ends_at_its_limit_or_its_end_and_tells_what_follows() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=hour) for hour in range(8)]
    assert between("any", "@hourly", "UTC", start, hours[3], 9) == (hours[1:4], hours[4])
    assert between("any", "@hourly", "UTC", start, hours[7], 2) == (hours[1:3], hours[3])
    assert between("any", "@hourly", "UTC", start, start, 9) == ([], hours[1])
    assert between("any", "0 0 30 2 *", "UTC", start, hours[7], 9) == ([], None)


def test_a_year_of_seconds_is_counted_not_walked() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = datetime(2027, 1, 1, tzinfo=UTC)
    assert count_fires("any", "* * * * * *", "America/New_York", start, end) == 365 * 86_400


def test_hashed_lines_differ_by_name_and_stay_put() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    first = {name: upcoming(name, "H H * * *", "UTC", start, 2) for name in map("schedule-{}".format, range(50))}
    assert len({fires[0] for fires in first.values()}) > 30
    assert all(fires[1] - fires[0] == timedelta(days=1) for fires in first.values())
    assert first["schedule-7"] == upcoming("schedule-7", "H H * * *", "UTC", start, 2)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        next_fire("any", "@daily", "UTC", datetime(2026, 1, 1))  # noqa: DTZ001


def test_saving_shows_five_fires_and_refuses_a_line_that_never_fires() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert [fire.day for fire in check("any", "@daily", "UTC", now)] == [2, 3, 4, 5, 6]
    with pytest.raises(ScheduleError, match="never fires"):
        check("any", "0 0 30 2 *", "UTC", now)
    with pytest.raises(ScheduleError, match="never fires"):
        check("any", "0 0 31 4,6,9,11 *", "UTC", now)
    assert check("any", "0 0 29 2 *", "UTC", now)[0] == datetime(2028, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Lodnon", "Europe/London"),
        ("America", "IANA|mean"),
        ("../etc/passwd", "IANA"),
        ("europe/london", "Europe/London"),
        ("", "IANA"),
    ],
)
def test_an_unknown_zone_is_refused_with_a_hint(zone: str, hint: str) -> None:
    with pytest.raises(ScheduleError, match=hint):
        next_fire("any", "@daily", zone, datetime(2026, 1, 1, tzinfo=UTC))
