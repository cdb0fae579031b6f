import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.schedule.fires import count_fires, latest, upcoming

GOLDEN = Path(__file__).parents[2] / "golden" / "fire_times"
FILES = sorted(GOLDEN.glob("*.json"))


def told(runs: list[str]) -> list[datetime]:
    fires: list[datetime] = []
    for run in runs:
        start, _, step, _, count = run.split()
        first = datetime.fromisoformat(start)
        fires += [first + number * timedelta(seconds=int(step.removesuffix("s"))) for number in range(int(count))]
    return fires


def load(path: Path) -> tuple[dict[str, Any], datetime, datetime]:
    golden = json.loads(path.read_text(encoding="utf-8"))
    return golden, datetime.fromisoformat(golden["after"]), datetime.fromisoformat(golden["until"])


def test_the_golden_zones_are_there() -> None:
    zones = {json.loads(path.read_text(encoding="utf-8"))["zone"] for path in FILES}
    wanted = {"America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC"}
    assert wanted <= zones


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_three_years_of_fires(path: Path) -> None:
    golden, after, until = load(path)
    for line, runs in golden["lines"].items():
        expected = told(runs)
        found = upcoming("any", line, golden["zone"], after, len(expected) + 1)
        assert found[:-1] == expected, line
        assert found[-1] > until, line
        assert all(earlier < later for earlier, later in pairwise(found)), line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_counting_agrees_with_the_golden_fires(path: Path) -> None:
    golden, after, until = load(path)
    for line, runs in golden["lines"].items():
        expected = told(runs)
        clock = ("any", line, golden["zone"])
        assert count_fires(*clock, after, until) == len(expected), line
        assert latest(*clock, after, until, 7) == expected[-7:], line
        middle = expected[len(expected) // 2]
        assert count_fires(*clock, after, middle) == expected.index(middle) + 1, line
        assert count_fires(*clock, middle, until) == len(expected) - expected.index(middle) - 1, line


def on_the_wall(fires: list[datetime], zone: str) -> list[str]:
    return [f"{fire.astimezone(ZoneInfo(zone)):%d %H:%M %Z}" for fire in fires]


@pytest.mark.parametrize(
    ("zone", "line", "after", "walls"),
    [
        ("America/New_York", "30 2 * * *", datetime(2026, 3, 7, tzinfo=UTC),
         ["07 02:30 EST", "08 03:00 EDT", "09 02:30 EDT"]),
        ("America/New_York", "30 1 * * *", datetime(2026, 10, 31, tzinfo=UTC),
         ["31 01:30 EDT", "01 01:30 EDT", "02 01:30 EST"]),
        ("America/New_York", "0 * * * *", datetime(2026, 11, 1, 4, 30, tzinfo=UTC),
         ["01 01:00 EDT", "01 01:00 EST", "01 02:00 EST"]),
        ("America/New_York", "0,30 2,3 * * *", datetime(2026, 3, 8, 1, tzinfo=UTC),
         ["08 03:00 EDT", "08 03:30 EDT", "09 02:00 EDT"]),
        ("America/New_York", "*/30 2 * * *", datetime(2026, 3, 8, 1, tzinfo=UTC),
         ["08 03:00 EDT", "08 03:30 EDT", "09 02:00 EDT"]),
        ("Australia/Lord_Howe", "15 2 * * *", datetime(2026, 10, 3, tzinfo=UTC),
         ["04 02:30 +11", "05 02:15 +11", "06 02:15 +11"]),
        ("Australia/Lord_Howe", "45 1 * * *", datetime(2026, 4, 4, 0, tzinfo=UTC),
         ["05 01:45 +11", "06 01:45 +1030", "07 01:45 +1030"]),
        ("America/Sao_Paulo", "0 0 * * *", datetime(2018, 11, 3, 2, tzinfo=UTC),
         ["03 00:00 -03", "04 01:00 -02", "05 00:00 -02"]),
    ],
)  # fmt: skip
def test_changes_of_the_clocks_read_by_a_person(zone: str, line: str, after: datetime, walls: list[str]) -> None:
    assert on_the_wall(upcoming("any", line, zone, after, 3), zone) == walls
