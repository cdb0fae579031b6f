"""A process beyond doubt, with real processes."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.worker.identity import identity_of, is_alive, own_identity, send_signal
from runner.worker.process_tree import process_table


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_this_process_lives():
    assert own_identity().pid == os.getpid()
    assert is_alive(own_identity())


def test_a_zombie_is_dead_but_can_still_be_named(sleeper):
    identity = identity_of(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody reaps it
    assert not is_alive(identity)
    assert identity_of(sleeper.pid) == identity
    sleeper.wait()
    assert identity_of(sleeper.pid) is None


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "another"}])
def test_a_process_that_took_over_a_number_is_somebody_else(sleeper, change):
    other = identity_of(sleeper.pid).model_copy(update=change)
    assert not is_alive(other)
    assert not send_signal(other, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_signal_reaches_its_process(sleeper):
    identity = identity_of(sleeper.pid)
    assert send_signal(identity, signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM
    assert not send_signal(identity, signal.SIGTERM)


def test_a_name_with_brackets_and_spaces_does_not_confuse(tmp_path):
    odd = tmp_path / "a) Z 0 (b"
    odd.symlink_to(sys.executable)
    with subprocess.Popen([str(odd), "-c", "import time; time.sleep(600)"]) as process:
        identity = identity_of(process.pid)
        assert is_alive(identity)
        process.kill()


def test_processes_that_proc_hides_are_none_of_ours(sleeper, monkeypatch):
    def as_with_hidepid(path, mode):
        if path == f"/proc/{sleeper.pid}/stat":
            raise PermissionError(errno.EPERM, "Operation not permitted", path)
        return Path(path).open(mode)

    monkeypatch.setattr("runner.worker.identity.open", as_with_hidepid, raising=False)
    assert identity_of(sleeper.pid) is None
    table = process_table()
    assert sleeper.pid not in table
    assert os.getpid() in table
