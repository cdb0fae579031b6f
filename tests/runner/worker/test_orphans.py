"""Orphans that come to the first process of a container, played by a process that becomes the reaper of its own."""

import subprocess
import sys

from runner.worker.process_tree import sees_own_processes

SCRIPT = """
import ctypes, os, sys, time
from runner.worker.process_tree import Orphans
from runner.worker.process_tree import process_table

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0

def child(code, orphans=0):
    pid = os.fork()
    if pid == 0:
        for _ in range(orphans):
            if os.fork() == 0:
                os._exit(0)
        os._exit(code)
    return pid

def dead():
    return {pid for pid, entry in process_table().items() if entry.parent == os.getpid() and entry.ended}

def until(condition):
    end_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)

worker = child(7)
parent = child(0, orphans=20)
os.waitpid(parent, 0)
until(lambda: len(dead()) == 21)
assert Orphans().reap([worker], 0.0) == 0, "not the first process"
orphans = Orphans(inherits=True)
assert orphans.reap([worker], 100.0) == 0, "seen for the first time: its parent may be about to wait"
assert orphans.reap([worker], 104.0) == 0, "no look yet"
assert orphans.reap([worker], 109.9) == 0
late = child(3)
until(lambda: late in dead())
assert orphans.reap([worker, late], 115.0) == 20
assert dead() == {worker, late}
assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 7
assert orphans.reap([], 120.0) == 0
assert orphans.reap([], 131.0) == 1
assert dead() == set()
print("done")
"""


def test_orphans_are_reaped_and_the_end_of_a_worker_is_left_to_who_asks():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


def test_this_process_is_counted_by_proc_as_it_counts_itself():
    assert sees_own_processes()
