"""What runs use, measured in the background over their whole process trees.

Memory is PSS (each shared page counted once over its sharers, `/proc/PID/smaps_rollup`), because a sum of RSS would
count what forked processes share once for each of them; RSS where the kernel refuses PSS.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from runner.worker.process_tree import TICKS_PER_S, Entry, Root, members, process_table
from schemas.execution import ResourceUsage
from schemas.machine import GpuUse

_log = logging.getLogger("ouroboros.workers")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024.0 * 1024.0


GpuUseOf = Callable[[set[int]], GpuUse | None]
"""Process numbers -> their use of the GPUs; None when they use none or it cannot be told."""


@dataclass(frozen=True, slots=True)
class Reaped:
    """What the kernel told when a worker was reaped: exact, where samples lag."""

    cpu_time_s: float
    """Of the worker and all it had waited for."""
    peak_memory_mb: float
    """Largest resident set of one of its processes."""
    lifetime_s: float


@dataclass
class _Account:
    """One run's running sums. Its clock is CLOCK_BOOTTIME, the one of start ticks."""

    root: Root
    samples: int = 0
    memory_mb: float = 0.0
    peak_memory_mb: float = 0.0
    peak_cpu_percent: float = 0.0
    peak_processes: int = 0
    cpu_time_s: float = 0.0
    last_s: float = 0.0
    peak_gpu_memory_mb: float | None = None
    gpu_percent_sum: float = 0.0
    gpu_samples: int = 0


class Sampler:
    """One background thread for all runs; it exists only while something is watched."""

    def __init__(self, interval_s: float, gpu_use_of: GpuUseOf | None = None) -> None:
        self._interval_s = interval_s
        self._gpu_use_of = gpu_use_of
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def use(self, interval_s: float) -> None:
        """Sample this often from the next sample on."""
        self._interval_s = interval_s

    def watch(self, root: Root) -> None:
        """Begin a run's account; the first sample is taken within one interval.

        Raises:
            RuntimeError: no thread can be started; nothing is watched.
        """
        with self._lock:
            if self._thread is None:
                wake = threading.Event()
                thread = threading.Thread(target=self._loop, args=(wake,), name="worker-sampling", daemon=True)
                thread.start()  # may fail: then the next run's tries again
                self._wake, self._thread = wake, thread
            self._accounts.setdefault(root.mark, _Account(root=root))

    def unwatch(self, root: Root) -> None:
        """Forget a run; the thread ends with the last one."""
        with self._lock:
            self._accounts.pop(root.mark, None)
            if not self._accounts:
                self._wake.set()
                self._thread = None

    def usage(self, root: Root, reaped: Reaped | None = None) -> ResourceUsage:
        """The figures so far; with `reaped`, those of a run that has ended."""
        with self._lock:
            account = self._accounts.get(root.mark, _Account(root=root))
            cpu_time_s = max(account.cpu_time_s, reaped.cpu_time_s if reaped else 0.0)
            lifetime_s = reaped.lifetime_s if reaped else account.last_s - _started_s(root)
            return ResourceUsage(
                samples=account.samples,
                peak_memory_mb=round(max(account.peak_memory_mb, reaped.peak_memory_mb if reaped else 0.0), 2),
                mean_cpu_percent=round(100.0 * cpu_time_s / lifetime_s, 1) if lifetime_s > 0 else 0.0,
                peak_cpu_percent=account.peak_cpu_percent,
                cpu_time_s=cpu_time_s,
                peak_processes=account.peak_processes,
                peak_gpu_memory_mb=account.peak_gpu_memory_mb,
                mean_gpu_percent=account.gpu_percent_sum / account.gpu_samples if account.gpu_samples else None,
            )

    def memory_mb(self, root: Root) -> float:
        """What the run's tree held at the last sample, MiB."""
        with self._lock:
            account = self._accounts.get(root.mark)
            return account.memory_mb if account else 0.0

    def sample(self) -> None:
        """Take one sample of every watched run now."""
        with self._lock:
            accounts = list(self._accounts.values())
        if not accounts:
            return
        table = process_table()
        for account in accounts:
            entries = members(account.root, table)
            memory_mb = sum(_memory_bytes(entry.pid) for entry in entries) / _MIB
            gpu = self._gpu_use_of({entry.pid for entry in entries}) if self._gpu_use_of and entries else None
            with self._lock:
                _add(account, entries, memory_mb, gpu, boot_clock_s())

    def _loop(self, wake: threading.Event) -> None:
        while not wake.is_set():
            try:
                self.sample()
            except Exception:  # noqa: BLE001 - the figures of one moment are lost, never the thread
                _log.exception("A sample of the workers' resource use failed; the next one follows")
            wake.wait(self._interval_s)


def boot_clock_s() -> float:
    """Seconds since boot, suspended time included: the clock that start ticks count."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def lifetime_s(root: Root) -> float:
    """How long the worker has been there."""
    return max(0.0, boot_clock_s() - _started_s(root))


def _started_s(root: Root) -> float:
    return root.worker.start_ticks / TICKS_PER_S


def _add(account: _Account, entries: list[Entry], memory_mb: float, gpu: GpuUse | None, now_s: float) -> None:
    if not entries:
        return
    cpu_time_s = sum(entry.cpu_time_s for entry in entries)
    interval_s = now_s - account.last_s
    # A member that ended unreaped takes its time with it: the sum may fall, the account never does.
    grown_s = max(0.0, cpu_time_s - account.cpu_time_s)
    if account.samples and interval_s > 0:
        account.peak_cpu_percent = max(account.peak_cpu_percent, 100.0 * grown_s / interval_s)
    account.samples += 1
    account.cpu_time_s = max(account.cpu_time_s, cpu_time_s)
    account.last_s = now_s
    account.memory_mb = memory_mb
    account.peak_memory_mb = max(account.peak_memory_mb, memory_mb)
    account.peak_processes = max(account.peak_processes, len(entries))
    if gpu is not None:
        account.peak_gpu_memory_mb = max(account.peak_gpu_memory_mb or 0.0, gpu.memory_mb)
        if gpu.utilisation_percent is not None:
            account.gpu_percent_sum += gpu.utilisation_percent
            account.gpu_samples += 1


def _memory_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as handle:  # noqa: PTH123 - one for each process, each interval
            for line in handle:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended since the table was read
    except PermissionError:
        return _resident_bytes(pid)
    return _resident_bytes(pid)


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as handle:  # noqa: PTH123
            return int(handle.read().split()[1]) * _PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0
