"""One daemon per state folder."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.single_instance import (
    LOCK_NAME,
    SingleInstanceLock,
    daemon_is_running,
    is_held,
    lock_of,
    refuse_second_name,
)
from schemas.errors import StateError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOLDER = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from runner.single_instance import SingleInstanceLock
home = Path(sys.argv[1])
with SingleInstanceLock(home / "daemon.lock", home, "state folder", datetime.now(UTC)) as lock:
    inheritor = os.fork()
    if inheritor == 0:  # a child on its way to be a worker: it holds what its parent held
        time.sleep(1)
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


def lock(home: Path) -> SingleInstanceLock:
    return SingleInstanceLock(home / LOCK_NAME, home, "state folder", NOW)


def test_a_second_holder_is_told_who_has_it_and_the_lock_comes_free(tmp_path):
    with lock(tmp_path):
        assert is_held(tmp_path / LOCK_NAME)
        with pytest.raises(StateError, match=rf"process {os.getpid()} on .*, since 2026-03-01"):
            lock(tmp_path).__enter__()
    assert not is_held(tmp_path / LOCK_NAME)
    with lock(tmp_path):
        assert is_held(tmp_path / LOCK_NAME)


def test_a_lock_that_a_killed_daemon_left_with_its_child_is_waited_for(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as daemon:
        assert daemon.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=f"process {daemon.pid} on"):
            lock(tmp_path).__enter__()
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(60)
        assert is_held(tmp_path / LOCK_NAME)
        with lock(tmp_path):
            assert is_held(tmp_path / LOCK_NAME)


def test_somebody_who_only_asks_is_waited_for(tmp_path):
    """Each question shares the lock for a moment; a start in that moment is no second daemon."""
    (tmp_path / "daemon.lock").write_text("")  # as after a start that had not yet written its name
    with (tmp_path / "daemon.lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_held(tmp_path / LOCK_NAME)
        done = threading.Timer(0.2, fcntl.flock, (asking, fcntl.LOCK_UN))
        done.start()
        with lock(tmp_path):
            assert is_held(tmp_path / LOCK_NAME)
        done.join()


def test_a_lock_that_cannot_be_opened_is_told_of(tmp_path):
    (tmp_path / "daemon.lock").mkdir()  # whoever runs the tests, root too, cannot open a folder as a file
    with pytest.raises(StateError, match="cannot look into the state folder"):
        is_held(tmp_path / LOCK_NAME)
    assert not is_held(tmp_path / "nowhere" / LOCK_NAME)


def test_the_lock_of_a_database_is_one_whatever_path_leads_to_it(tmp_path):
    """A link to the file, a link to its folder, two homes: one lock; and it is told whose folder serves."""
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    other.mkdir()
    database = real / "history.db"
    database.touch()
    (other / "link.db").symlink_to(database)
    (tmp_path / "folder").symlink_to(real)
    ways = [database, other / "link.db", tmp_path / "folder" / "history.db"]
    assert {lock_of(tmp_path, way) for way in ways} == {real / "history.db.lock"}
    with SingleInstanceLock(lock_of(real, database), real, "database", NOW):
        assert all(daemon_is_running(other, way) for way in ways)
        with pytest.raises(StateError, match=f"serves this database: .* from the state folder {real}"):
            SingleInstanceLock(lock_of(other, other / "link.db"), other, "database", NOW).__enter__()
    assert not daemon_is_running(other, other / "link.db")


def test_a_database_with_a_second_name_is_refused(tmp_path):
    database = tmp_path / "history.db"
    refuse_second_name(database)
    database.touch()
    refuse_second_name(database)
    (tmp_path / "again.db").hardlink_to(database)
    with pytest.raises(StateError, match="a second name, a hard link"):
        refuse_second_name(database)
