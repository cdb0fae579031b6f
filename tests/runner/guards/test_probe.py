"""The machine as a run would find it."""

import os
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest

from runner.guards.cgroup import CgroupLimits
from runner.guards.cpu import CpuMeter
from runner.guards.probe import Probe
from schemas.machine import GpuFinding, GpuState, GpuUse, GuardSettings

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
    end_s = time.monotonic() + 30
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


def test_a_snapshot_of_this_machine(tmp_path):
    gpu = FakeGpu()
    probe = Probe(GuardSettings(max_celsius=90), tmp_path / "not" / "there" / "yet", gpu, CgroupLimits)
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
    seen = Probe(GuardSettings(), tmp_path, FakeGpu(), lambda: tight).snapshot(NOW)
    assert (seen.total_memory_gb, seen.free_memory_gb, seen.usable_cores) == (2.0, 1.0, 0.5)
    assert seen.load_per_core == pytest.approx(os.getloadavg()[0] / 0.5, abs=2.0)


def test_wide_limits_change_nothing(tmp_path):
    wide = CgroupLimits(memory_bytes=1 << 50, free_memory_bytes=1 << 50, cpu_cores=4096.0)
    seen = Probe(GuardSettings(), tmp_path, FakeGpu(), lambda: wide).snapshot(NOW)
    assert seen.total_memory_gb == pytest.approx(psutil.virtual_memory().total / 1024**3)
    assert seen.usable_cores == len(os.sched_getaffinity(0))


def test_battery_and_heat_where_the_machine_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(percent=41.5, power_plugged=False))
    heat = {
        "cpu": [SimpleNamespace(current=61.0), SimpleNamespace(current=72.5)],
        "nvme": [SimpleNamespace(current=40.0)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: heat)
    seen = Probe(GuardSettings(max_celsius=90), tmp_path, FakeGpu(), CgroupLimits).snapshot(NOW)
    assert (seen.battery_percent, seen.on_mains, seen.hottest_celsius) == (41.5, False, 72.5)
    cool = Probe(GuardSettings(max_celsius=0), tmp_path, FakeGpu(), CgroupLimits).snapshot(NOW)
    assert cool.hottest_celsius is None
