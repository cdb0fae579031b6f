"""Which processes belong to a run: the table is made up here, real families are in test_hard_cases."""

import os

import pytest

from runner.worker.identity import boot_id
from runner.worker.process_tree import Entry, Root, kill_all, members, process_table
from schemas.execution import ProcessIdentity


def entry(pid, parent=1, session=1, start=100, ended=False):
    return Entry(pid=pid, parent=parent, session=session, start_ticks=start, ended=ended, cpu_time_s=0.0)


def table(*entries):
    return {item.pid: item for item in entries}


def root(pid=9_000_000, start=50, boot=None):
    return Root(ProcessIdentity(boot_id=boot or boot_id(), pid=pid, start_ticks=start), mark="/no/such/run")


WORKER = entry(9_000_000, session=9_000_000, start=50)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([WORKER], [9_000_000]),
        ([WORKER, entry(9_000_001, parent=9_000_000)], [9_000_000, 9_000_001]),
        ([WORKER, entry(9_000_002, parent=9_000_001), entry(9_000_001, parent=9_000_000, session=9_000_001)],
         [9_000_000, 9_000_001, 9_000_002]),
        ([WORKER, entry(9_000_001, session=9_000_000)], [9_000_000, 9_000_001]),
        ([entry(9_000_001, session=9_000_000)], [9_000_001]),  # the worker is gone, its session is not
        ([WORKER, entry(9_000_001)], [9_000_000]),  # a stranger
        ([WORKER, entry(9_000_001, parent=9_000_000, ended=True)], [9_000_000]),
        # Another process has the worker's number now, and children and a session of its own: none of it is ours.
        ([entry(9_000_000, session=9_000_000, start=999), entry(9_000_001, parent=9_000_000, session=9_000_000)], []),
    ],
)  # fmt: skip
def test_members(entries, expected):
    assert [item.pid for item in members(root(), table(*entries))] == expected


def test_nothing_of_an_earlier_boot_is_a_member():
    assert members(root(boot="another"), table(WORKER)) == []


def test_the_process_that_looks_is_never_a_member():
    me = process_table()[os.getpid()]
    own = Root(ProcessIdentity(boot_id=boot_id(), pid=me.pid, start_ticks=me.start_ticks), mark="/no/such/run")
    assert os.getpid() not in [item.pid for item in members(own, process_table(), by_mark=True)]


def test_killing_a_run_without_processes_does_nothing():
    assert kill_all(root()) == []


def test_the_table_holds_this_process():
    me = process_table()[os.getpid()]
    assert (me.parent, me.session, me.ended) == (os.getppid(), os.getsid(0), False)
    assert me.cpu_time_s > 0
