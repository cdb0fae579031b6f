"""What runs use: measured on real processes."""

from runner.worker.launch import Launcher
from schemas.execution import Outcome
from schemas.machine import GpuUse
from schemas.service import WorkerSettings


def test_two_processes_are_counted_together(bench):
    bench.use(WorkerSettings(heartbeat_interval_s=0.1, sample_interval_s=0.05))
    seen = bench.run("burn_two_processes")
    assert seen.result.outcome is Outcome.SUCCEEDED
    usage = seen.usage
    assert usage.peak_processes == 2
    assert usage.cpu_time_s > 1.0  # half a second in each, as the kernel told at the end
    assert usage.peak_memory_mb > 80.0
    assert usage.samples > 1
    assert usage.mean_cpu_percent > 0
    assert usage.peak_cpu_percent > 0
    assert usage.peak_gpu_memory_mb is None


def test_a_run_shorter_than_the_interval_has_figures_all_the_same(bench):
    bench.use(WorkerSettings(heartbeat_interval_s=0.1, sample_interval_s=600))
    usage = bench.run("burn_two_processes").usage
    assert usage.cpu_time_s > 1.0
    assert usage.peak_memory_mb > 20.0
    assert usage.mean_cpu_percent > 0.0


def test_gpu_figures_are_peaks_and_means(bench, until):
    told = [
        GpuUse(memory_mb=100, utilisation_percent=50),
        GpuUse(memory_mb=300, utilisation_percent=100),
        None,
        GpuUse(memory_mb=200, utilisation_percent=None),
    ]
    asked = []

    def gpu_use_of(pids):
        asked.append(pids)
        return told.pop(0) if told else None

    bench.launcher = Launcher(WorkerSettings(sample_interval_s=0.05), gpu_use_of)
    handle = bench.start("wait_for_stop")
    until(lambda: len(asked) > 4, "five samples")
    usage = bench.look(handle).usage
    assert (usage.peak_gpu_memory_mb, usage.mean_gpu_percent) == (300.0, 75.0)
    assert all(handle.identity.pid in pids for pids in asked)


def test_a_sample_that_fails_is_told_and_the_next_follows(bench, until, caplog):
    calls = []

    def gpu_use_of(pids):
        calls.append(pids)
        if len(calls) == 1:
            raise RuntimeError("the GPU fell off")

    bench.launcher = Launcher(WorkerSettings(sample_interval_s=0.05), gpu_use_of)
    bench.start("wait_for_stop")
    until(lambda: len(calls) > 2, "samples after the failed one")
    assert "the GPU fell off" in caplog.text
