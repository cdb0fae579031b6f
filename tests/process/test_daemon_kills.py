"""kill -9 at every named point of the flow, then another life: nothing lost, nothing twice, nothing left running."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cradle import Cradle, cradle
from daemon_audit import audit
from daemon_life import CRONS, SPAN_HOURS, START
from daemon_world import DATABASE_VARIABLE

LIFE = Path(__file__).with_name("daemon_life.py")
POINTS = [
    ("start.announced", 1),
    ("start.taken_over", 1),
    ("commands.answering", 1),
    ("commands.answered", 1),
    ("fire.recording", 1),
    ("fire.recorded", 1),
    ("trigger_file.claimed", 1),
    ("trigger_file.recorded", 1),
    ("trigger_file.archived", 1),
    ("launch.intending", 2),
    ("launch.intended", 2),
    ("launch.spawned", 2),
    ("launch.known", 2),
    ("run.observed", 2),
    ("run.finishing", 2),
    ("run.finished", 2),
    ("mail.taken", 2),
    ("mail.sent", 2),
    ("mail.marked", 2),
]


@pytest.fixture(scope="module")
def lives() -> Iterator[Cradle]:
    with cradle(LIFE) as made:
        yield made


@pytest.mark.parametrize(("point", "nth"), POINTS, ids=[point for point, _ in POINTS])
def test_killed_at(point: str, nth: int, tmp_path: Path, lives: Cradle) -> None:
    killed_and_lived_again(lives, point, nth, tmp_path)


@pytest.mark.parametrize("point", ["launch.intended", "run.finishing"])
def test_killed_on_postgresql_at(
    point: str, tmp_path: Path, lives: Cradle, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/soak` has all points."""
    monkeypatch.setenv(DATABASE_VARIABLE, postgresql_url)
    killed_and_lived_again(lives, point, 2, tmp_path)


def killed_and_lived_again(lives: Cradle, point: str, nth: int, tmp_path: Path) -> None:
    """One life that ends at the point, one that ends well, and the audit of both."""
    home, told_to, database = tmp_path / "home", tmp_path / "told.txt", os.environ.get(DATABASE_VARIABLE, "")
    code, told = lives.bear(told_to, str(home), point, nth, database)
    assert code == -signal.SIGKILL, f"{point} was never reached: {told}"
    code, told = lives.bear(told_to, str(home), None, 0, database)
    assert code == 0, told
    counted = audit(home, CRONS, START, START + timedelta(hours=SPAN_HOURS))
    assert counted["executions"] >= 5
