"""May this machine's cores be lent just now? The guards' answer, with what the games of others use left out."""

import os
import time
from collections import deque
from datetime import datetime
from pathlib import Path

import psutil

from runner.guards.gpu import GpuProbe
from runner.guards.probe import Probe
from runner.guards.rules import decide
from schemas.cluster import DRAIN_NAME, NodeAnswer
from schemas.machine import GpuFinding, GpuState, GpuUse, GuardDecision, ResourceSnapshot
from schemas.settings import Settings


class _NoGpu(GpuProbe):
    """Games of snakes need none, so no driver is asked."""

    def look(self, own_pids: object = ()) -> GpuState:
        return GpuState(finding=GpuFinding.ABSENT, detail="not looked at")

    def use_of(self, pids: set[int]) -> GpuUse | None:
        return None


class LendingGuard:
    """Asks the guards every `answer_interval_s`.

    Args:
        folder: the node's; a file `DRAIN_NAME` in it is the word to leave.
    """

    def __init__(self, settings: Settings, folder: Path, cores: int) -> None:
        self._settings, self._folder, self._cores = settings, folder, cores
        self._probe = Probe(settings.guards, [settings.home], gpu=_NoGpu())
        self._previous: GuardDecision | None = None
        self._own: deque[tuple[float, float]] = deque()

    def start(self) -> None:
        """Begin to measure."""
        self._probe.start()

    def close(self) -> None:
        """Stop measuring."""
        self._probe.close()

    @property
    def draining(self) -> bool:
        """Whether somebody asked this node to leave."""
        return (self._folder / DRAIN_NAME).exists()

    def answer(self, now: datetime) -> NodeAnswer:
        """What this machine says now."""
        machine = self._without_own_use(self._probe.snapshot(now))
        decision = decide(
            self._settings.cluster.requirements,
            self._settings.guards,
            machine,
            needs_gpu=False,
            emergency=False,
            previous=self._previous,
            now=now,
        )
        self._previous = decision
        if self.draining:
            decision = GuardDecision(allowed=False, code="draining", reason="It was asked to leave.")
        return NodeAnswer(decision=decision, said_at_s=time.monotonic(), cores=self._cores)

    def _without_own_use(self, machine: ResourceSnapshot) -> ResourceSnapshot:
        """What is lent must not look like somebody at the desk: the guard would let go of it, and take it again."""
        now_s = time.monotonic()
        self._own.append((now_s, _descendants_cpu_s()))
        while len(self._own) > 2 and now_s - self._own[1][0] >= self._settings.guards.cpu_window_s:
            self._own.popleft()
        if machine.cpu_usage_percent is None or len(self._own) < 2:
            return machine
        (then_s, before), (_, after) = self._own[0], self._own[-1]
        # Time of a process that has ended is no longer in the sum.
        own_percent = 100 * max(0.0, after - before) / ((now_s - then_s) * len(os.sched_getaffinity(0)))
        return machine.model_copy(update={"cpu_usage_percent": max(0.0, machine.cpu_usage_percent - own_percent)})


def _descendants_cpu_s() -> float:
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total
