"""What a machine says before it lends its cores: its own guards, without what it lends already."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from runner.cluster_guard import LendingGuard
from runner.cluster_ray import end_processes, ray_folder, route_to
from schemas.cluster import DRAIN_NAME, ClusterSettings
from schemas.errors import MachineError
from schemas.machine import GuardSettings, ResourceRequirements
from schemas.settings import Settings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def guard(folder: Path, guards: GuardSettings | None = None, **needs: float) -> LendingGuard:
    wanted = {"min_free_memory_gb": 0, "min_free_disk_gb": 0, "max_cpu_usage_percent": 60} | needs
    cluster = ClusterSettings(requirements=ResourceRequirements(**wanted))
    settings = Settings(home=folder, cluster=cluster, guards=guards or GuardSettings())
    return LendingGuard(settings, folder, 2)


class Figures:
    """A CPU meter that is told."""

    def __init__(self, *percents: float | None) -> None:
        self._percents = list(percents)

    def percent(self, _monotonic_s: float) -> float | None:
        return self._percents.pop(0)

    def unmeasured(self, _monotonic_s: float) -> None:
        return None

    def close(self) -> None:
        pass


def test_somebody_at_the_desk_is_told_from_the_games_of_others(tmp_path: Path, monkeypatch) -> None:
    used_s = iter([0.0, 0.0, 100.0])
    clock_s = iter([0.0, 10.0, 60.0])
    monkeypatch.setattr("runner.cluster_guard._descendants_cpu_s", lambda: next(used_s))
    monkeypatch.setattr("runner.cluster_guard.os.sched_getaffinity", lambda _pid: {0, 1})
    asked = guard(tmp_path)
    asked._probe._cpu = Figures(None, 95.0, 95.0)
    now_s = [0.0]
    monkeypatch.setattr("runner.cluster_guard.time.monotonic", lambda: now_s[0])
    now_s[0] = next(clock_s)
    assert asked.answer(NOW).decision.code == "warming_up"
    now_s[0] = next(clock_s)
    desk = asked.answer(NOW)
    assert (desk.decision.allowed, desk.decision.code, desk.cores) == (False, "cpu", 2)
    assert desk.said_at_s == 10.0
    now_s[0] = next(clock_s)
    # Of 95 % over 50 s on two cores, 100 s of processor time were ours: nobody is at the desk.
    assert asked.answer(NOW).decision.allowed


@pytest.mark.parametrize(
    ("needs", "code"), [({"min_free_memory_gb": 1e6}, "memory"), ({"min_free_disk_gb": 1e9}, "disk")]
)
def test_what_is_missing_is_said_with_its_figure(tmp_path: Path, needs: dict[str, float], code: str) -> None:
    said = guard(tmp_path, max_cpu_usage_percent=100, **needs).answer(NOW).decision
    assert (said.allowed, said.code) == (False, code)
    assert "needed" in said.reason


def test_allowed_hours_hold_for_what_is_lent_too(tmp_path: Path) -> None:
    said = guard(tmp_path, GuardSettings(allowed_hours="22-6"), max_cpu_usage_percent=100).answer(NOW).decision
    assert (said.allowed, said.code) == (False, "hours")


def test_the_word_to_leave_stands_above_all(tmp_path: Path) -> None:
    asked = guard(tmp_path, max_cpu_usage_percent=100)
    assert asked.answer(NOW).decision.allowed
    (tmp_path / DRAIN_NAME).touch()
    assert asked.draining
    assert asked.answer(NOW).decision.code == "draining"


def test_what_a_killed_node_left_is_ended_and_nothing_else(tmp_path: Path) -> None:
    folder = ray_folder(tmp_path)
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen([*sleep, f"--temp={folder}/x"]) as ours, subprocess.Popen([*sleep, f"{folder}else"]) as other:
        try:
            end_processes(folder)
            assert not psutil.pid_exists(ours.pid)
            assert other.poll() is None
        finally:
            ours.kill()
            other.kill()


def test_two_state_folders_have_two_folders_of_rays(tmp_path: Path) -> None:
    one, two = ray_folder(tmp_path / "a"), ray_folder(tmp_path / "b")
    assert one != two
    assert len(str(one)) < 40


def test_the_address_on_the_way_is_found() -> None:
    assert route_to("127.0.0.1") == "127.0.0.1"
    with pytest.raises(MachineError, match="there is no way to it"):
        route_to("no-such-host.invalid")
