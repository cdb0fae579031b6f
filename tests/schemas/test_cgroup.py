"""Limits of control groups, both versions, as files on a real disk."""

import os

import pytest

from schemas.cgroup import CgroupLimits, read_limits, usable_processors

MIB = 1024**2


@pytest.fixture
def machine(tmp_path):
    """Writes files; `{root}` in their content is this machine's root."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("{root}", str(tmp_path)))
        return tmp_path / "self"

    return write


V2 = {
    "self/cgroup": "0::/app.slice/ouroboros.service\n",
    "self/mountinfo": "30 24 0:26 / {root}/sys rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
}


def test_version_2_takes_the_tightest_of_group_and_ancestors(machine):
    own, above = "sys/app.slice/ouroboros.service/", "sys/app.slice/"
    limits = read_limits(
        machine(
            {
                **V2,
                own + "memory.max": "max\n",
                own + "memory.current": f"{100 * MIB}\n",
                own + "cpu.max": "400000 100000\n",
                above + "memory.max": f"{1000 * MIB}\n",
                above + "memory.current": f"{700 * MIB}\n",
                above + "memory.stat": f"anon 1\ninactive_file {200 * MIB}\nactive_file 7\n",
                above + "cpu.max": "150000 100000\n",
                above + "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
            }
        )
    )
    assert limits == CgroupLimits(memory_bytes=1000 * MIB, free_memory_bytes=500 * MIB, cpu_cores=1.5, cpu_used_s=2.5)


def test_version_2_minds_the_throttling_limit(machine):
    own = "sys/app.slice/ouroboros.service/"
    files = {
        own + "memory.max": f"{900 * MIB}",
        own + "memory.high": f"{600 * MIB}",
        own + "memory.current": f"{50 * MIB}",
    }
    assert read_limits(machine({**V2, **files})).free_memory_bytes == 550 * MIB


def test_without_limits_there_are_none(machine):
    own = "sys/app.slice/ouroboros.service/"
    files = {own + "memory.max": "max\n", own + "memory.current": "5\n", own + "cpu.max": "max 100000\n"}
    assert read_limits(machine({**V2, **files})) == CgroupLimits()


V1 = {
    "self/cgroup": "9:memory:/docker/abc\n5:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
    "self/mountinfo": (
        "31 30 0:28 /docker/abc {root}/mem\\040ory ro - cgroup cgroup rw,memory\n"
        "32 30 0:29 /docker/abc {root}/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
        "33 30 0:30 / {root}/plain rw - ext4 /dev/sda rw\n"
    ),
}


def test_version_1_in_a_container(machine):
    limits = read_limits(
        machine(
            {
                **V1,
                "mem ory/memory.limit_in_bytes": f"{512 * MIB}\n",
                "mem ory/memory.usage_in_bytes": f"{300 * MIB}\n",
                "mem ory/memory.stat": f"inactive_file 5\ntotal_inactive_file {100 * MIB}\n",
                "cpu/cpu.cfs_quota_us": "50000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "cpu/cpuacct.usage": "7000000000\n",
            }
        )
    )
    assert limits == CgroupLimits(memory_bytes=512 * MIB, free_memory_bytes=312 * MIB, cpu_cores=0.5, cpu_used_s=7.0)


def test_version_1_without_limits(machine):
    files = {
        "mem ory/memory.limit_in_bytes": "9223372036854771712\n",
        "mem ory/memory.usage_in_bytes": "300\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
    }
    assert read_limits(machine({**V1, **files})) == CgroupLimits()


def test_a_group_outside_the_mount_reads_the_mount_s_top(machine):
    files = {
        "self/cgroup": "0::/../other/group\n",
        "self/mountinfo": "30 24 0:26 /kubepods/pod1 {root}/sys rw - cgroup2 cgroup2 rw\n",
        "sys/memory.max": f"{64 * MIB}\n",
        "sys/memory.current": f"{65 * MIB}\n",
    }
    assert read_limits(machine(files)) == CgroupLimits(memory_bytes=64 * MIB, free_memory_bytes=0)


def test_a_machine_without_control_groups(tmp_path):
    assert read_limits(tmp_path) == CgroupLimits()


def test_this_machine_can_be_read():
    limits = read_limits()
    assert limits.cpu_cores is None or limits.cpu_cores > 0
    assert limits.memory_bytes is None or limits.memory_bytes > 0


def test_a_mount_whose_name_is_no_utf_8_hides_no_limit(machine):
    own = "sys/app.slice/ouroboros.service/"
    proc_self = machine({**V2, own + "memory.max": f"{900 * MIB}", own + "memory.current": f"{50 * MIB}"})
    with (proc_self / "mountinfo").open("ab") as handle:
        handle.write(b"31 24 8:17 / /media/Musik\xe4 rw shared:5 - vfat /dev/sdb1 rw\n")
    assert read_limits(proc_self).memory_bytes == 900 * MIB


@pytest.mark.parametrize(
    ("quota", "processors"),
    [("max 100000", 64), ("6400000 100000", 64), ("400000 100000", 4), ("250000 100000", 2), ("50000 100000", 1)],
)
def test_as_many_processors_as_the_quota_pays_for(machine, monkeypatch, quota, processors):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    files = {**V2, "sys/app.slice/ouroboros.service/cpu.max": quota}
    assert usable_processors(machine(files)) == processors
