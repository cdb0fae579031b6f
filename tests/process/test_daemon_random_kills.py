"""kill -9 at random moments of half a day: the small sister of `tests/soak/test_random_kills.py`."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

LIVES = Path(__file__).with_name("daemon_lives.py")
SEED_VARIABLE = "OUROBOROS_TESTS_KILL_SEED"


def lives(home: Path, kills: int, days: float, timeout_s: float) -> dict[str, float]:
    """Many lives in one folder, audited; says with which seed."""
    seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(2**32))
    done = subprocess.run(
        [sys.executable, str(LIVES), str(home), str(seed), str(kills), str(days)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=os.environ | {"PYTHONPATH": str(LIVES.parent)},
    )
    assert done.returncode == 0, f"{SEED_VARIABLE}={seed}: {done.stderr[-6000:]}"
    return json.loads(done.stdout)


def test_fifteen_kills_at_random_moments_lose_and_double_nothing(tmp_path):
    counted = lives(tmp_path / "home", 15, 0.5, 280)
    print(counted)
    assert counted["kills"] == 15
    assert counted["occurrences"] >= 5
