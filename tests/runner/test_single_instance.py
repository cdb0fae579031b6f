"""One daemon per state folder."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from runner.single_instance import SingleInstanceLock, is_held
from schemas.errors import StateError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOLDER = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from runner.single_instance import SingleInstanceLock
with SingleInstanceLock(Path(sys.argv[1]), datetime.now(UTC)) as lock:
    inheritor = os.fork()
    if inheritor == 0:  # a child on its way to be a worker: it holds what its parent held
        time.sleep(1)
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_told_who_has_it_and_the_lock_comes_free(tmp_path):
    with SingleInstanceLock(tmp_path, NOW):
        assert is_held(tmp_path)
        with pytest.raises(StateError, match=rf"process {os.getpid()} on .*, since 2026-03-01"):
            SingleInstanceLock(tmp_path, NOW).__enter__()
    assert not is_held(tmp_path)
    with SingleInstanceLock(tmp_path, NOW):
        assert is_held(tmp_path)


def test_a_lock_that_a_killed_daemon_left_with_its_child_is_waited_for(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as daemon:
        assert daemon.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=f"process {daemon.pid} on"):
            SingleInstanceLock(tmp_path, NOW).__enter__()
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(60)
        assert is_held(tmp_path)
        with SingleInstanceLock(tmp_path, NOW):
            assert is_held(tmp_path)


def test_somebody_who_only_asks_is_waited_for(tmp_path):
    """Each question shares the lock for a moment; a start in that moment is no second daemon."""
    (tmp_path / "daemon.lock").write_text("")  # as after a start that had not yet written its name
    with (tmp_path / "daemon.lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_held(tmp_path)
        done = threading.Timer(0.2, fcntl.flock, (asking, fcntl.LOCK_UN))
        done.start()
        with SingleInstanceLock(tmp_path, NOW):
            assert is_held(tmp_path)
        done.join()


def test_a_lock_that_cannot_be_opened_is_told_of(tmp_path):
    (tmp_path / "daemon.lock").mkdir()  # whoever runs the tests, root too, cannot open a folder as a file
    with pytest.raises(StateError, match="cannot look into the state folder"):
        is_held(tmp_path)
    assert not is_held(tmp_path / "nowhere")
