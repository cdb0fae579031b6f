import pytest

from runner.schedule import cron_syntax
from runner.schedule.cron import parse
from runner.schedule.describe import describe
from schemas.errors import ScheduleError


@pytest.mark.parametrize(
    ("line", "field", "says"),
    [
        ("61 * * * *", "minute", "0 to 59"),
        ("* 24 * * *", "hour", "0 to 23"),
        ("* * 0 * *", "day-of-month", "1 to 31"),
        ("* * * FOO *", "month", "'FOO' is not understood"),
        ("* * * * 8", "day-of-week", "0 to 6"),
        ("* * * * * 60", "seconds", "0 to 59"),
        ("5-5 * * * *", "minute", "Write 5 or"),
        ("0 23-6/2 * * *", "hour", "List the values"),
        ("*/90 * * * *", "minute", "does not fit"),
        ("1/0 * * * *", "minute", "does not fit"),
        ("R * * * *", "minute", "at random"),
        ("R(1-5)/2 * * * *", "minute", "at random"),
        ("*,5 * * * *", "minute", "beside"),
        ("1,,2 * * * *", "minute", "not understood"),
        ("-5 * * * *", "minute", "not understood"),
        ("0 0 * * 5L", "day-of-week", "L5"),
        ("0 0 LW * *", "day-of-month", "not understood"),
        ("0 0 * * 5#7", "day-of-week", "not understood"),
        ("0 0 */2 * 1", "day-of-month", "disagree"),
        ("0 0 13 * */2", "day-of-month", "disagree"),
        ("0 0 13 * 5#2", "day-of-month", "no agreed meaning"),
        ("0 0 15W * 1", "day-of-month", "no agreed meaning"),
        ("0 0 2 * * *", "seconds", "seconds first"),
        ("0 30 2 * * MON", "hour", "seconds stand last"),
        ("H(0-99) * * * *", "minute", "not understood"),
        ("１ * * * *", "minute", "not understood"),
    ],
)
def test_a_bad_field_is_named_with_its_remedy(line: str, field: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=f"(?s){says}") as caught:
        parse(line, "any")
    assert f"{field} field of {line!r}" in str(caught.value)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "empty"),
        ("* * * *", "this one has 4"),
        ("0 0 1 1 * 0 2026", "years are not supported"),
        ("@reboot", "names no time"),
        ("@every 5m", "unknown alias"),
        ("0 " * 200, "longer than"),
    ],
)
def test_a_bad_line_is_refused(line: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        parse(line, "any")


@pytest.mark.parametrize(
    "same",
    [
        ("@daily", "0 0 * * *", " 0  0 *\t* * ", "@midnight", "0 0 ? * ?"),
        ("@weekly", "0 0 * * 0", "0 0 * * 7", "0 0 * * sun"),
        ("@yearly", "@ANNUALLY", "0 0 1 JAN *"),
        ("0 9 * * 5-7", "0 9 * * 5,6,0", "0 9 * * FRI-SUN"),
        ("0 22-1 * * *", "0 22,23,0,1 * * *"),
        ("5/20 * * * *", "5-59/20 * * * *"),
        ("0 0 * * *", "0 0 * * * 0"),
    ],
)
def test_spellings_of_one_line(same: tuple[str, ...]) -> None:
    def sets(line: str) -> tuple[object, ...]:
        made = parse(line, "any")
        return made.seconds, made.minutes, made.hours, made.months, made.days, made.follows_elapsed

    assert len({sets(line) for line in same}) == 1


@pytest.mark.parametrize(
    ("line", "elapsed"),
    [
        ("0 2 * * *", False),
        ("0,30 9-17 * * MON", False),
        ("H H * * *", False),
        ("0-29 2 * * * 0", False),
        ("* 2 * * *", True),
        ("0 * * * *", True),
        ("0 */6 * * *", True),
        ("0 9-17/2 * * *", True),
        ("0 0-23 * * *", True),
        ("H/15 3 * * *", True),
        ("0 2 * * * 0-59", True),
        ("0 2 */3 */2 *", False),
    ],
)
def test_what_counts_as_following_elapsed_time(line: str, elapsed: bool) -> None:
    assert parse(line, "any").follows_elapsed is elapsed


def test_only_hashed_lines_depend_on_the_name() -> None:
    assert parse("0 2 * * THU", "a") is parse("0 2 * * THU", "b")
    assert parse("H H(0-5) * * *", "a") is not parse("H H(0-5) * * *", "b")
    hours = {parse("0 H(0-5) * * *", f"name-{number}").hours for number in range(60)}
    assert hours == {1 << hour for hour in range(6)}
    assert cron_syntax.is_hashed(cron_syntax.tokens("H/15 * * * *"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0 2 * * *", "At 02:00, every day, Europe/London time. A fixed wall time"),
        ("*/15 9-17 * * MON-FRI", "Every 15 minutes of hours 9 to 17, on Monday to Friday, "),
        ("@hourly", "At minute 0 of every hour, every day, Europe/London time. Follows elapsed time"),
        ("*/25 * * * *", "At minutes 0, 25 and 50 of every hour"),
        ("0 0 L 2 *", "At 00:00, on the last day of the month, in February"),
        ("0 0 * * L5", "on the last Friday of the month"),
        ("0 0 15W * *", "on the weekday nearest to day 15 of the month"),
        ("0 12 1,15 JAN,JUL 1", "on days 1 and 15 of the month or on Monday, in January and July"),
        ("* * * * * */10", "Every 10 seconds of every hour"),
        ("5 4 * * * 30", "At 04:05:30, every day"),
        ("H H * * *", "H is fixed by the schedule's name (nightly)"),
    ],
)
def test_described_in_plain_english(line: str, says: str) -> None:
    assert says in describe(line, "Europe/London", "nightly")


def test_utc_has_no_clock_changes_to_explain() -> None:
    assert describe("0 2 * * *", "UTC") == "At 02:00, every day, UTC time."
