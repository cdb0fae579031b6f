"""The machine as a run would find it."""

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from runner.guards import cpu, disk
from runner.guards.cpu import CpuMeter
from runner.guards.probe import Probe
from schemas.cgroup import CgroupLimits
from schemas.machine import GpuFinding, GpuState, GpuUse, GuardSettings
from schemas.settings import Settings

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class FakeGpu:
    def __init__(self):
        self.own = None

    def look(self, own_pids=()):
        self.own = set(own_pids)
        return GpuState(finding=GpuFinding.ABSENT, detail="none")

    def use_of(self, pids):
        return GpuUse(memory_mb=1, utilisation_percent=2)


@pytest.fixture
def stat(tmp_path):
    path = tmp_path / "stat"

    def write(busy, idle):
        """Every CPU of this machine with these ticks."""
        count = max(os.sched_getaffinity(0)) + 1
        lines = [f"cpu{number} {busy} 0 0 {idle} 0 0 0 0 0 0" for number in range(count)]
        path.write_text("\n".join(["cpu  0 0 0 0 0 0 0 0 0 0", *lines, "intr 1 2 3", ""]))
        return path

    return write


def test_cpu_is_unknown_until_a_whole_window_has_passed(stat):
    meter = CpuMeter(30, 2, stat(0, 0), CgroupLimits)
    for second in range(0, 30, 2):
        meter.read(float(second))
        assert meter.percent() is None
        stat(second + 1, second + 1)
    meter.read(30.0)
    assert meter.percent() == 50.0


def test_cpu_is_the_mean_of_the_last_window_only(stat):
    meter = CpuMeter(10, 1, stat(0, 0), CgroupLimits)
    busy = idle = 0
    for second in range(21):
        meter.read(float(second))
        busy, idle = (busy + 100, idle) if second < 10 else (busy + 20, idle + 80)
        stat(busy, idle)
    assert meter.percent() == 20.0


def test_a_quota_that_is_used_up_counts_on_an_idle_host(stat):
    used = iter([10.0, 14.5])
    meter = CpuMeter(10, 1, stat(0, 0), lambda: CgroupLimits(cpu_cores=0.5, cpu_used_s=next(used)))
    meter.read(0.0)
    stat(10, 990)
    meter.read(10.0)
    assert meter.percent() == 90.0  # 4.5 s of the 5 s that half a core gives in ten


def test_in_a_system_container_all_listed_cpus_are_ours(tmp_path, monkeypatch):
    """LXC lists the CPUs of the container, numbered anew; the kernel names them by the host's numbers."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 7})
    path = tmp_path / "stat"
    meter = CpuMeter(10, 1, path, CgroupLimits)
    for at_s, busy in ((0.0, 0), (10.0, 9)):
        path.write_text(
            f"cpu  0 0 0 0 0 0 0 0\ncpu0 {busy} 0 0 {busy // 3} 0 0 0 0 0 0\ncpu1 0 0 0 {busy} 0 0 0 0 0 0\n"
        )
        meter.read(at_s)
    assert meter.percent() == pytest.approx(100 * 9 / 21)


def test_a_spike_is_smoothed(stat):
    meter = CpuMeter(10, 1, stat(0, 0), CgroupLimits)
    busy = idle = 0
    for second in range(11):
        meter.read(float(second))
        busy, idle = (busy + 100, idle) if second == 5 else (busy, idle + 100)
        stat(busy, idle)
    assert meter.percent() == 10.0


def test_a_counter_that_steps_back_gives_no_nonsense(stat):
    meter = CpuMeter(1, 1, stat(100, 1000), CgroupLimits)
    meter.read(0.0)
    stat(300, 999)
    meter.read(1.0)
    assert meter.percent() == 100.0
    stat(300, 900)
    meter.read(2.0)
    assert meter.percent() is None


def test_the_meter_reads_by_itself(until_cpu_known):
    assert 0.0 <= until_cpu_known <= 100.0


@pytest.fixture
def until_cpu_known():
    meter = CpuMeter(window_s=0.2, interval_s=0.05)
    meter.start()
    end_s = time.monotonic() + 90
    pause = threading.Event()
    while (percent := meter.percent()) is None:
        assert time.monotonic() < end_s
        pause.wait(0.01)
    meter.close()
    return percent


def test_a_meter_that_cannot_read_says_so_and_goes_on(tmp_path, caplog):
    meter = CpuMeter(window_s=0.01, interval_s=0.01, stat=tmp_path / "absent")
    meter.start()
    meter.close()
    assert meter.percent() is None
    assert "Cannot read" in caplog.text


@pytest.mark.parametrize("words", ["cpu0 1 two 3", "cpu0 1 2"])
def test_a_meter_survives_counters_that_make_no_sense_and_says_what_is_missing(tmp_path, words, monkeypatch):
    monkeypatch.setattr(cpu, "_GRACE_S", 0.0)
    stat = tmp_path / "stat"
    stat.write_text(words)
    meter = CpuMeter(0.01, 0.01, stat, CgroupLimits)
    assert meter.unmeasured(time.monotonic() + 1000) is None  # nothing reads yet
    meter.start()
    until(lambda: (missing := meter.unmeasured(time.monotonic())) and "ValueError" in missing.reason)
    assert meter.unmeasured(time.monotonic() + 50).for_s >= 50
    meter.close()


def test_a_meter_that_has_stopped_reading_gives_no_old_figure(stat):
    meter = CpuMeter(10, 1, stat(0, 0), CgroupLimits)
    meter.read(0.0)
    stat(500, 500)
    meter.read(10.0)
    assert meter.percent(11.0) == 50.0
    assert meter.percent(42.0) is None


def until(condition):
    end_s, pause = time.monotonic() + 60, threading.Event()
    while not condition():
        assert time.monotonic() < end_s
        pause.wait(0.01)


def test_a_snapshot_of_this_machine(tmp_path):
    gpu = FakeGpu()
    probe = Probe(GuardSettings(max_celsius=90), [tmp_path / "not" / "there" / "yet"], gpu, CgroupLimits)
    seen = probe.snapshot(NOW, own_pids=[7])
    assert (seen.taken_at, seen.cpu_usage_percent) == (NOW, None)
    assert seen.usable_cores == len(os.sched_getaffinity(0))
    assert seen.total_memory_gb == pytest.approx(psutil.virtual_memory().total / 1024**3)
    assert 0 < seen.free_memory_gb < seen.total_memory_gb
    assert seen.free_disk_gb == pytest.approx(psutil.disk_usage(str(tmp_path)).free / 1024**3, rel=0.2)
    assert seen.gpu.finding is GpuFinding.ABSENT
    assert gpu.own == {7}


def test_container_limits_come_before_the_host_s(tmp_path):
    tight = CgroupLimits(memory_bytes=2 * 1024**3, free_memory_bytes=1024**3, cpu_cores=0.5)
    seen = Probe(GuardSettings(), [tmp_path], FakeGpu(), lambda: tight).snapshot(NOW)
    assert (seen.total_memory_gb, seen.free_memory_gb, seen.usable_cores) == (2.0, 1.0, 0.5)


def test_wide_limits_change_nothing(tmp_path):
    wide = CgroupLimits(memory_bytes=1 << 50, free_memory_bytes=1 << 50, cpu_cores=4096.0)
    seen = Probe(GuardSettings(), [tmp_path], FakeGpu(), lambda: wide).snapshot(NOW)
    assert seen.total_memory_gb == pytest.approx(psutil.virtual_memory().total / 1024**3)
    assert seen.usable_cores == len(os.sched_getaffinity(0))


def test_battery_and_heat_where_the_machine_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(percent=41.5, power_plugged=False))
    heat = {
        "cpu": [SimpleNamespace(current=61.0), SimpleNamespace(current=72.5)],
        "nvme": [SimpleNamespace(current=40.0)],
        "nct6775": [SimpleNamespace(current=127.5)],  # nothing is connected there
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: heat)
    seen = Probe(GuardSettings(max_celsius=90, min_battery_percent=20), [tmp_path], FakeGpu(), CgroupLimits).snapshot(
        NOW
    )
    assert (seen.battery_percent, seen.on_mains, seen.hottest_celsius) == (41.5, False, 72.5)
    cool = Probe(GuardSettings(), [tmp_path], FakeGpu(), CgroupLimits).snapshot(NOW)
    assert (cool.battery_percent, cool.on_mains, cool.hottest_celsius) == (None, None, None)


def test_the_load_is_judged_by_the_cpus_it_is_measured_on(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (40.0, 0.0, 0.0))
    quota = CgroupLimits(cpu_cores=0.5)
    seen = Probe(GuardSettings(), [tmp_path], FakeGpu(), lambda: quota).snapshot(NOW)
    assert seen.usable_cores == 0.5
    assert seen.load_per_core == 40.0 / os.sysconf("SC_NPROCESSORS_ONLN")


def no_such_folder():
    raise FileNotFoundError(2, "No such file or directory", "/sys/class/power_supply")


@pytest.fixture
def sensors_fail(monkeypatch):
    monkeypatch.setattr(psutil, "sensors_battery", no_such_folder)
    monkeypatch.setattr(psutil, "sensors_temperatures", no_such_folder)


@pytest.mark.usefixtures("sensors_fail")
def test_sensors_that_fail_are_not_looked_at_unless_somebody_asks(tmp_path):
    seen = Probe(GuardSettings(), [tmp_path], FakeGpu(), CgroupLimits).snapshot(NOW)
    assert seen.unmeasured == ()


@pytest.mark.usefixtures("sensors_fail")
def test_sensors_that_fail_and_are_asked_for_leave_their_figures_out_with_the_reason(tmp_path):
    settings = GuardSettings(max_celsius=90, min_battery_percent=20)
    seen = Probe(settings, [tmp_path], FakeGpu(), CgroupLimits).snapshot(NOW)
    assert (seen.battery_percent, seen.hottest_celsius) == (None, None)
    assert [item.figure for item in seen.unmeasured] == ["battery", "temperature"]
    assert all("/sys/class/power_supply" in item.reason for item in seen.unmeasured)
    assert seen.free_memory_gb is not None


LOOKS = {
    "memory": (psutil, "virtual_memory"),
    "load": (os, "getloadavg"),
    "battery": (psutil, "sensors_battery"),
    "temperature": (psutil, "sensors_temperatures"),
    "disk": (os, "statvfs"),
}


@pytest.mark.parametrize("hangs", [False, True], ids=["raises", "hangs"])
@pytest.mark.parametrize("figure", LOOKS)
def test_a_look_that_raises_or_hangs_costs_its_figure_only_and_no_more_than_its_patience(
    figure, hangs, tmp_path, monkeypatch
):
    """A hanging look holds the first snapshot up, and no later one: that one's thread is still at it."""
    let_go, calls = threading.Event(), []

    def fail(*_arguments):
        calls.append(figure)
        if hangs:
            let_go.wait(60)
        raise OSError(5, "Input/output error")

    probe = Probe(GuardSettings(max_celsius=90, min_battery_percent=20), [tmp_path], FakeGpu(), CgroupLimits,
                  patience_s=0.5)  # fmt: skip
    # A machine without such sensors, whether or not this one shows its devices.
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None)
    monkeypatch.setattr(psutil, "sensors_temperatures", dict)
    with monkeypatch.context() as failing:
        failing.setattr(*LOOKS[figure], fail)
        for _ in range(3):
            seen = probe.snapshot(NOW)
            (missing,) = seen.unmeasured
            assert (missing.figure, "not answered" in missing.reason) == (figure, hangs)
            if hangs and figure == "disk":
                assert f"the file system of {tmp_path} has not answered" in missing.reason
        assert len(calls) == (1 if hangs else 3)
        assert missing.for_s > 0
        let_go.set()
    until(lambda: not probe.snapshot(NOW).unmeasured)


def test_the_disk_is_that_of_the_fullest_folder_written_to_and_links_are_followed(tmp_path, monkeypatch):
    """Two made-up file systems: what lies below `big` and what lies below `small`, which a link leads to."""
    big, small = tmp_path / "big", tmp_path / "small"
    big.mkdir()
    small.mkdir()
    (big / "games").symlink_to(small / "not" / "there" / "yet")
    looked_at = []

    def statvfs(place):
        looked_at.append(place)
        return SimpleNamespace(f_bavail=3 if place == small else 700, f_frsize=1024**3, f_blocks=800)

    monkeypatch.setattr(os, "statvfs", statvfs)
    monkeypatch.setattr(disk, "_device", lambda place: 2 if place == small else 1)
    folders = [big, big / "runs", big / "games", small]
    seen = Probe(GuardSettings(), folders, FakeGpu(), CgroupLimits).snapshot(NOW)
    assert (seen.free_disk_gb, seen.fullest_folder) == (3.0, str(small))
    assert looked_at == [big, small]
    without = Probe(GuardSettings(), folders[:2], FakeGpu(), CgroupLimits).snapshot(NOW)
    assert without.free_disk_gb == 700.0


def test_a_file_system_that_does_not_tell_its_size_is_not_full(tmp_path, monkeypatch):
    """In user space, often over a network: all figures are zero."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def statvfs(place):
        size = 0 if place == mounted else 800
        return SimpleNamespace(f_bavail=size, f_frsize=1024**3, f_blocks=size)

    monkeypatch.setattr(os, "statvfs", statvfs)
    monkeypatch.setattr(disk, "_device", lambda place: 2 if place == mounted else 1)
    seen = Probe(GuardSettings(), [tmp_path, mounted], FakeGpu(), CgroupLimits).snapshot(NOW)
    assert (seen.free_disk_gb, seen.fullest_folder) == (800.0, str(tmp_path))
    alone = Probe(GuardSettings(), [mounted], FakeGpu(), CgroupLimits).snapshot(NOW)
    assert alone.free_disk_gb is None
    assert "tells how large it is" in alone.why_unmeasured("disk").reason


def test_links_in_a_circle_are_a_reason_and_no_more(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    seen = Probe(GuardSettings(), [tmp_path / "a" / "c"], FakeGpu(), CgroupLimits).snapshot(NOW)
    assert seen.free_disk_gb is not None or [item.figure for item in seen.unmeasured] == ["disk"]


def test_all_that_is_written_to_is_looked_at(tmp_path):
    settings = Settings(home=tmp_path, tuner={"snake_dir": "/elsewhere/snake"})
    names = ("games_dir", "triggers_dir", "runs_dir", "logs_dir", "tuner_dir", "training_games_dir", "models_dir",
             "pipeline_dir", "home")  # fmt: skip
    assert set(settings.written_dirs) == {*(getattr(settings, name) for name in names), Path("/elsewhere/snake")}


def test_whoever_looks_at_the_gpus_a_look_that_raises_costs_the_gpu_only(tmp_path):
    class Raises(FakeGpu):
        def look(self, own_pids=()):
            raise RuntimeError("no such call\x1b[0m")

    seen = Probe(GuardSettings(), [tmp_path], Raises(), CgroupLimits).snapshot(NOW)
    assert seen.gpu.finding is GpuFinding.DRIVER_BROKEN
    assert "no such call\\x1b[0m" in seen.gpu.detail
    assert seen.free_disk_gb is not None
