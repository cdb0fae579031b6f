"""Times carry the schedule's own clock and its offset, and a line in the order of Quartz is not taken silently."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from migrations.upgrade import upgrade
from runner import schedule_service
from runner.cli import cli
from runner.commands import output
from runner.schedule.describe import seconds_first_warning
from runner.store import decisions, queue
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from schemas.automation import TrainingSchedule
from schemas.execution import Decision, DecisionKind

BERLIN = TrainingSchedule(name="berlin", cron_expression="30 9 * * *", timezone="Europe/Berlin")
KATHMANDU = TrainingSchedule(name="kathmandu", cron_expression="30 9 * * *", timezone="Asia/Kathmandu")
PLAIN = TrainingSchedule(name="plain", cron_expression="30 9 * * *")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    monkeypatch.setattr(output.console, "width", output.PLAIN_WIDTH)
    opened = Store(f"sqlite:///{tmp_path / 'automation_tracking.db'}", busy_timeout_s=30)
    upgrade(opened, keep_backups=3, now=datetime.now(UTC))
    yield opened
    opened.close()


def told(*arguments: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.console, "_file", None)
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_explain_lists_the_wall_times_that_its_sentence_names() -> None:
    out = told("explain", "30 9 * * *", "--timezone", "Europe/Berlin")
    assert "At 09:30, every day, Europe/Berlin time." in out
    listed = re.findall(r"^  (.*) \(in ", out, re.MULTILINE)
    assert len(listed) == 5
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d 09:30:00 \+0[12]:00", each) for each in listed), listed
    assert re.search(r"09:30:00 UTC \(in ", told("explain", "30 9 * * *"))


@pytest.mark.parametrize("command", [("schedules",), ("next",), ("status",)])
def test_listings_show_each_schedule_by_its_own_clock(store: Store, command: tuple[str, ...]) -> None:
    with store.write() as session:
        for schedule in (BERLIN, KATHMANDU, PLAIN):
            schedule_service.save_schedule(session, schedule, datetime.now(UTC))
    out = told(*command)
    for name, offset in (("berlin", r"\+0[12]:00"), ("kathmandu", r"\+05:45"), ("plain", "UTC")):
        (line, *_) = [line for line in out.splitlines() if name in line]
        assert re.search(rf"09:30:00 {offset} \(in ", line), line


def test_why_shows_fires_and_decisions_by_the_schedules_clock(store: Store) -> None:
    now = datetime.now(UTC)
    with store.write() as session:
        schedule_service.save_schedule(session, KATHMANDU, now)
        number = queue.record(session, NewOccurrence(KATHMANDU, now - timedelta(days=3)), now, 10).occurrence_id
        wait = Decision(kind=DecisionKind.WAIT, code="memory", reason="2.0 GiB are free")
        decisions.record(session, number, "kathmandu", wait, now)
        decisions.record(session, number, "kathmandu", wait, now)
    out = told("why", "kathmandu")
    assert re.search(r"fires next at \S+ 09:30:00 \+05:45 \(in ", out)
    assert re.search(r"due \S+ \S+ \+05:45 \(3 d ago\)", out)
    assert re.search(r"\+05:45  wait: 2\.0 GiB are free \(2 times since \S+ \S+ \+05:45\)", out)


@pytest.mark.parametrize(
    ("line", "here", "there", "write"),
    [
        ("0 0 9 * * 1", "at 00:00:01, on day 9 of the month", "at 09:00, on Monday", "0 9 * * 1"),
        ("0 0 2 * * 0", "at 00:00, on day 2 of the month", "at 02:00, on Sunday", "0 2 * * 0"),
        ("30 15 10 1 1 0", "at 15:30, on day 10", "at 10:15:30, on day 1 of the month", "15 10 1 1 0 30"),
    ],
)
def test_six_fields_that_quartz_reads_otherwise_are_said(line: str, here: str, there: str, write: str) -> None:
    out = told("explain", line)
    assert "Note: six fields have the seconds last here, so this is" in out
    assert all(words in out for words in (here, there, f"write `{write}` for that"))


@pytest.mark.parametrize("line", ["0 9 * * 1", "0 9 * * 1 30", "* * * * * *", "@daily", "H H * * * 0"])
def test_lines_that_can_be_read_in_one_way_only_are_not(line: str) -> None:
    assert seconds_first_warning(line, "UTC", "name") == ""


def test_saving_such_a_line_warns_and_says_when_it_fires(store: Store) -> None:
    out = told("schedules", "add", "--name", "q", "--cron", "0 0 9 * * 1", "--set", "timezone=Europe/Berlin")
    assert "write `0 9 * * 1` for that" in out
    assert re.search(r"-09 00:00:01 \+0[12]:00 \(in ", out)
