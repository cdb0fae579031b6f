"""The kernel ends a child of a run for want of memory: the run's row says so, and the daemon goes on."""

import json
import subprocess
import sys
from pathlib import Path

from memory_group import memory_group

SCRIPT = Path(__file__).with_name("daemon_oom.py")
ENOUGH_FOR_THE_DAEMON = 400 * 2**20


def test_a_child_that_the_kernel_ended_for_memory_is_named(tmp_path: Path) -> None:
    for number in range(6):
        status, failure_class, message = run_short_of_memory(tmp_path / str(number))
        assert failure_class == "resource"
        if status == "failed":
            break
        # Now and then the kernel ends the run as well, some milliseconds before the child's memory has come back.
        assert status == "lost"
    assert status == "failed"
    assert "died with <Signals.SIGKILL: 9>" in message
    assert "the kernel ended a process of its control group for want of memory (oom_kill went from 0 to 1)" in message


def run_short_of_memory(home: Path) -> tuple[str, str, str]:
    """Status, class of failure and message of the one run's row."""
    with memory_group(ENOUGH_FOR_THE_DAEMON) as group:
        command = [sys.executable, str(SCRIPT), str(group), str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    ((status, failure_class, message),) = json.loads(done.stdout)
    return status, failure_class, message
