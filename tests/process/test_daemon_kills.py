"""kill -9 at every named point of the flow, then another life: nothing lost, nothing twice, nothing left running."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from daemon_audit import audit
from daemon_life import START
from daemon_world import DATABASE_VARIABLE

LIFE = Path(__file__).parent / "daemon_life.py"
SPAN_HOURS = 1.0
CRONS = {"hourly": "0 * * * *", "often": "*/30 * * * *"}
POINTS = [
    ("start.announced", 1),
    ("start.taken_over", 1),
    ("commands.answering", 1),
    ("commands.answered", 1),
    ("fire.recording", 1),
    ("fire.recorded", 1),
    ("drop.claimed", 1),
    ("drop.recorded", 1),
    ("drop.archived", 1),
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


def live(home: Path, point: str, nth: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(LIFE), str(home), str(SPAN_HOURS), point, str(nth)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=os.environ | {"PYTHONPATH": str(LIFE.parent)},
    )


@pytest.mark.parametrize(("point", "nth"), POINTS, ids=[point for point, _ in POINTS])
def test_killed_at(point: str, nth: int, tmp_path: Path) -> None:
    killed_and_lived_again(point, nth, tmp_path)


@pytest.mark.parametrize("point", ["launch.intended", "run.finishing"])
def test_killed_on_postgresql_at(
    point: str, tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/soak` has all points."""
    monkeypatch.setenv(DATABASE_VARIABLE, postgresql_url)
    killed_and_lived_again(point, 2, tmp_path)


def killed_and_lived_again(point: str, nth: int, tmp_path: Path) -> None:
    """One life that ends at the point, one that ends well, and the audit of both."""
    home = tmp_path / "home"
    first = live(home, point, nth)
    assert first.returncode == -signal.SIGKILL, f"{point} was never reached: {first.stderr}"
    second = live(home, "-", 0)
    assert second.returncode == 0, second.stderr
    counted = audit(home, CRONS, START, START + timedelta(hours=SPAN_HOURS))
    assert counted["executions"] >= 5
