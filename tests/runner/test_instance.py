"""One daemon per state folder."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from runner.instance import InstanceLock, is_held
from schemas.errors import StateError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOLDER = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from runner.instance import InstanceLock
with InstanceLock(Path(sys.argv[1]), datetime.now(UTC)) as lock:
    inheritor = os.fork()
    if inheritor == 0:  # a child on its way to be a worker: it holds what its parent held
        time.sleep(1)
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_told_who_has_it_and_the_lock_comes_free(tmp_path):
    with InstanceLock(tmp_path, NOW):
        assert is_held(tmp_path)
        with pytest.raises(StateError, match=rf"process {os.getpid()} on .*, since 2026-03-01"):
            InstanceLock(tmp_path, NOW).__enter__()
    assert not is_held(tmp_path)
    with InstanceLock(tmp_path, NOW):
        assert is_held(tmp_path)


def test_a_lock_that_a_killed_daemon_left_with_its_child_is_waited_for(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as daemon:
        assert daemon.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=f"process {daemon.pid} on"):
            InstanceLock(tmp_path, NOW).__enter__()
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(60)
        assert is_held(tmp_path)
        with InstanceLock(tmp_path, NOW):
            assert is_held(tmp_path)
