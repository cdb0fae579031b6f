"""kill -9 at random moments of a short pipeline run: it goes on each time, and ends as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_audit import audit

LIVES = Path(__file__).with_name("pipeline_lives.py")


def lives(folder: Path, kills: int, most_per_run: int, seed: int, *, export: bool) -> dict[str, int]:
    """Kill so often, audit every run that has ended; return the counts."""
    command = [sys.executable, str(LIVES), str(folder), str(kills), str(most_per_run), str(seed)]
    told = subprocess.run(
        [*command, "export" if export else "no"], capture_output=True, text=True, check=False, timeout=7000
    )
    assert told.returncode == 0, told.stdout + told.stderr
    counted = json.loads(told.stdout.splitlines()[-1])
    homes = sorted(folder.glob("run-*"))
    assert len(homes) == counted["runs"]
    for home in homes:
        audit(home)
    assert counted["begun"] <= counted["runs"]
    return counted


@pytest.mark.timeout(1500)
def test_killed_at_random_moments_a_run_goes_on_to_its_end(tmp_path: Path) -> None:
    """`tests/soak` has more."""
    counted = lives(tmp_path, 3, 3, 1, export=False)
    assert counted["kills"] == 3
    assert counted["resumed"] >= 1
