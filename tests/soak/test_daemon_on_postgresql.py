"""The daemon's tests of `tests/process` once more, each with its history on PostgreSQL instead of in a file."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from postgresql_server import PrivateServer

PROCESS = Path(__file__).parents[1] / "process"
APART = {"test_daemon_kills.py", "test_daemon_random_kills.py", "test_daemon_server_kills.py"}
"""Those have soaks of their own on PostgreSQL (`test_server_kills.py`)."""
LEAST = 60
"""So many tests run there."""


@pytest.mark.timeout(3000)
def test_the_daemon_does_the_same_on_postgresql(postgresql: PrivateServer) -> None:
    files = [str(path) for path in sorted(PROCESS.glob("test_daemon_*.py")) if path.name not in APART]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not sqlite_files", *files],
        cwd=PROCESS.parents[1],
        env={**os.environ, "OUROBOROS_TESTS_ON_POSTGRESQL": "1"},
        capture_output=True,
        text=True,
        timeout=2900,
        check=False,
    )
    print(done.stdout[-500:])
    assert done.returncode == 0, done.stdout[-6000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= LEAST
