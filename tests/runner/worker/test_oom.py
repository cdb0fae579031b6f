"""The kernel's counters of what it ended for want of memory, of both versions of control groups."""

import pytest

from runner.worker.observation import count_now, since
from runner.worker.run_folder import RunDir

V2 = "30 24 0:26 / {root}/sys rw - cgroup2 cgroup2 rw\n"
V1 = "31 30 0:28 / {root}/mem ro - cgroup cgroup rw,memory\n"


@pytest.fixture
def proc_self(tmp_path):
    def write(groups, mounts, **files):
        folder = tmp_path / "self"
        folder.mkdir()
        (folder / "cgroup").write_text(groups)
        (folder / "mountinfo").write_text(mounts.replace("{root}", str(tmp_path)))
        return folder

    return write


V2_EVENTS = "low 0\nhigh 0\nmax 31\noom 9\noom_kill {n}\noom_group_kill 0\n"  # as Linux 6.1 writes it


@pytest.fixture
def vmstat(tmp_path):
    file = tmp_path / "vmstat"
    file.write_text("nr_free_pages 7\noom_kill 40\n")
    return file


@pytest.mark.parametrize(
    ("groups", "mounts", "counter", "text"),
    [
        ("0::/a.service\n", V2, "sys/a.service/memory.events", V2_EVENTS),
        ("9:memory:/job\n0::/\n", V1, "mem/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill {n}\n"),
    ],
)
def test_the_group_s_own_counter_before_and_after(tmp_path, proc_self, vmstat, groups, mounts, counter, text):
    file = tmp_path / counter
    file.parent.mkdir(parents=True)
    file.write_text(text.format(n=4))
    before = count_now(proc_self(groups, mounts), vmstat)
    assert (before.file, before.kills, before.whose) == (file, 4, "its control group")
    folder = RunDir(tmp_path / "run")
    folder.create()
    folder.write_oom_count(before)  # a daemon that starts anew finds it there
    file.write_text(text.format(n=6))
    kills = since(folder.read_oom_count())
    assert (kills.before, kills.after, kills.count) == (4, 6, 2)
    file.unlink()
    assert since(before) is None


def test_where_the_group_does_not_count_the_machine_s_counter_is_taken(proc_self, vmstat):
    before = count_now(proc_self("0::/\n", V2), vmstat)
    assert (before.kills, before.whose) == (40, "this machine")
    vmstat.write_text("oom_kill not-a-number\n")
    assert since(before) is None


def test_where_nobody_counts_nothing_is_known(proc_self, tmp_path):
    assert count_now(proc_self("", ""), tmp_path / "absent") is None


def test_a_worker_s_run_folder_keeps_the_count_of_this_machine(bench):
    seen = bench.end_of(handle := bench.start("succeed"))
    kept = handle.run_dir.read_oom_count()
    assert (kept is None) == (count_now() is None)
    assert seen.oom_kills is None or seen.oom_kills.count >= 0
