"""May a run start now? Pure."""

from datetime import UTC, datetime

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.guards.rules import decide
from schemas.machine import (
    GpuFinding,
    GpuState,
    GuardDecision,
    GuardSettings,
    ResourceRequirements,
    ResourceSnapshot,
    Unmeasured,
)

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
GPU = GpuState(finding=GpuFinding.USABLE, detail="a card", free_memory_gb=20, total_memory_gb=24)
BUSY = GpuState(finding=GpuFinding.BUSY, detail="a card, 2 other processes on it", free_memory_gb=1)
NO_GPU = GpuState(finding=GpuFinding.ABSENT, detail="this machine has no NVIDIA GPU")
NEEDS = ResourceRequirements(
    min_free_memory_gb=4, min_free_disk_gb=10, max_cpu_usage_percent=80, max_load_per_core=2, min_free_gpu_memory_gb=8
)
SETTINGS = GuardSettings(cpu_window_s=30, hysteresis_percent=10, min_battery_percent=50, max_celsius=85)


def machine(**changes):
    figures = {
        "taken_at": NOW,
        "cpu_usage_percent": 20.0,
        "usable_cores": 8.0,
        "load_per_core": 0.5,
        "total_memory_gb": 32.0,
        "free_memory_gb": 16.0,
        "free_disk_gb": 100.0,
        "gpu": GPU,
        "battery_percent": 30.0,
        "on_mains": True,
        "hottest_celsius": 60.0,
    }
    return ResourceSnapshot(**{**figures, **changes})


def ask(snapshot=None, *, needs=NEEDS, settings=SETTINGS, needs_gpu=True, emergency=False, previous=None, pending=""):
    return decide(
        needs,
        settings,
        snapshot or machine(),
        needs_gpu=needs_gpu,
        pending=pending,
        emergency=emergency,
        previous=previous,
        now=NOW,
    )


def refused(code):
    return GuardDecision(allowed=False, code=code, reason="the last look")


def test_a_free_machine_allows():
    assert ask() == GuardDecision(allowed=True, code="ok", reason="All guards allow it.")


@pytest.mark.parametrize(
    ("changes", "code", "figures"),
    [
        ({"free_disk_gb": 9.94}, "disk", ["9.9 GiB", "at least 10 ", "free at the state folder"]),
        ({"free_disk_gb": 9.94, "fullest_folder": "/games"}, "disk", ["free at /games"]),
        ({"free_memory_gb": 3.94}, "memory", ["3.9 GiB", "at least 4 "]),
        ({"gpu": BUSY}, "gpu_busy", ["2 other processes"]),
        ({"gpu": GPU.model_copy(update={"free_memory_gb": 7.5})}, "gpu_memory", ["7.5 GiB", "at least 8 "]),
        ({"on_mains": False}, "battery", ["30.0 %", "at least 50 "]),
        ({"hottest_celsius": 85.5}, "thermal", ["85.5", "at most 85 "]),
        ({"load_per_core": 2.25}, "load", ["2.2", "at most 2 "]),
        ({"cpu_usage_percent": None}, "warming_up", ["30 s"]),
        ({"cpu_usage_percent": 80.5}, "cpu", ["80.5 %", "at most 80 ", "last 30 s"]),
    ],
)
def test_each_guard_refuses_with_its_figure_and_limit(changes, code, figures):
    decision = ask(machine(**changes))
    assert (decision.allowed, decision.code) == (False, code)
    assert all(figure in decision.reason for figure in figures), decision.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"free_disk_gb": 10.0},
        {"free_memory_gb": 4.0},
        {"cpu_usage_percent": 80.0},
        {"load_per_core": 2.0},
        {"hottest_celsius": 85.0},
        {"battery_percent": 50.0, "on_mains": False},
        {"battery_percent": 5.0, "on_mains": True},
        {"battery_percent": None, "on_mains": None},
        {"hottest_celsius": None},
        {"load_per_core": None},
    ],
)
def test_at_the_limit_or_unknown_nothing_is_refused(changes):
    assert ask(machine(**changes)).allowed


FIGURES = {
    "disk": "free_disk_gb",
    "memory": "free_memory_gb",
    "battery": "battery_percent",
    "temperature": "hottest_celsius",
    "load": "load_per_core",
    "cpu": "cpu_usage_percent",
}
NOBODY_ASKS = (
    ResourceRequirements(min_free_memory_gb=0, min_free_disk_gb=0, max_cpu_usage_percent=100),
    GuardSettings(),
)


def blind(figure, for_s):
    missing = (Unmeasured(figure=figure, reason="OSError: it is gone", for_s=for_s),)
    return machine(**{FIGURES[figure]: None, "unmeasured": missing})


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_that_cannot_be_measured_is_waited_for_a_while_and_then_done_without(figure):
    waits = ask(blind(figure, 119.0))
    assert (waits.allowed, waits.code) == (False, "thermal" if figure == "temperature" else figure)
    assert "cannot be measured: OSError: it is gone. The run waits for it at most 120 s." in waits.reason
    goes = ask(blind(figure, 120.0))
    assert (goes.allowed, goes.reason) == (
        True,
        f"All guards allow it; not measured: {figure} (OSError: it is gone).",
    )


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_that_nobody_asks_for_blocks_nothing(figure):
    needs, settings = NOBODY_ASKS
    assert ask(blind(figure, 0.0), needs=needs, settings=settings).allowed


@pytest.mark.parametrize("figure", ["disk", "memory"])
def test_a_small_limit_is_asked_for_too(figure):
    needs = ResourceRequirements(min_free_memory_gb=0.5, min_free_disk_gb=0.5, max_cpu_usage_percent=100)
    assert ask(blind(figure, 0.0), needs=needs, settings=NOBODY_ASKS[1]).code == figure


def test_who_sets_no_limit_of_the_cpu_does_not_wait_for_its_first_window():
    needs, settings = NOBODY_ASKS
    assert ask(machine(cpu_usage_percent=None), needs=needs, settings=settings).allowed


def test_a_silent_driver_is_waited_for_a_while():
    silent = GpuState(finding=GpuFinding.SILENT, detail="the driver is silent", silent_s=119.0)
    waits = ask(machine(gpu=silent), pending="the driver is silent", needs_gpu=False)
    assert (waits.code, waits.reason) == ("pending", "The driver is silent. The run waits for it at most 120 s.")
    later = silent.model_copy(update={"silent_s": 120.0})
    assert ask(machine(gpu=later), pending="the driver is silent", needs_gpu=False).allowed
    assert ask(machine(gpu=silent), needs_gpu=False).allowed


def test_a_gpu_that_shares_the_machine_s_memory_is_judged_by_it():
    shared = GpuState(finding=GpuFinding.USABLE, detail="GB10", shares_memory=True)
    assert ask(machine(gpu=shared)).allowed
    decision = ask(machine(gpu=shared, free_memory_gb=7.0))
    assert (decision.code, "7.0 GiB of the memory that the GPU shares" in decision.reason) == ("gpu_memory", True)


def test_the_first_guard_of_the_order_speaks():
    bad = {
        "free_disk_gb": 1.0,
        "free_memory_gb": 1.0,
        "gpu": BUSY,
        "on_mains": False,
        "hottest_celsius": 99.0,
        "load_per_core": 9.0,
        "cpu_usage_percent": 99.0,
    }
    better = {"free_disk_gb": 99.0, "free_memory_gb": 9.0, "gpu": GPU, "on_mains": True, "hottest_celsius": 50.0,
              "load_per_core": 0.1, "cpu_usage_percent": 1.0}  # fmt: skip
    settings = SETTINGS.model_copy(update={"allowed_hours": "22-6"})
    assert ask(machine(**bad), settings=settings).code == "hours"
    order = []
    for name in bad:
        order.append(ask(machine(**bad)).code)
        bad[name] = better[name]
    assert order == ["disk", "memory", "gpu_busy", "battery", "thermal", "load", "cpu"]


def test_hours_hold_back_all_but_an_emergency():
    settings = SETTINGS.model_copy(update={"allowed_hours": "22-6", "allowed_hours_timezone": "Asia/Kolkata"})
    decision = ask(settings=settings)
    assert (decision.code, "17:30 in Asia/Kolkata" in decision.reason) == ("hours", True)
    assert ask(settings=settings, emergency=True).allowed
    assert ask(machine(free_memory_gb=1.0), settings=settings, emergency=True).code == "memory"


@pytest.mark.parametrize("gpu", [BUSY, GPU.model_copy(update={"free_memory_gb": 0.1})])
def test_the_gpu_is_looked_at_only_for_runs_that_need_it(gpu):
    assert ask(machine(gpu=gpu), needs_gpu=False).allowed
    assert not ask(machine(gpu=gpu), needs_gpu=True).allowed


def test_a_gpu_that_is_not_there_is_not_waited_for():
    assert ask(machine(gpu=NO_GPU)).allowed


def test_guards_that_are_off_stay_off():
    settings = GuardSettings(min_battery_percent=0, max_celsius=0)
    needs = ResourceRequirements(min_free_memory_gb=0, min_free_disk_gb=0, max_cpu_usage_percent=100)
    poor = machine(
        free_memory_gb=0.0, free_disk_gb=0.0, cpu_usage_percent=100.0, load_per_core=50.0, battery_percent=1.0,
        on_mains=False, hottest_celsius=120.0,
    )  # fmt: skip
    assert ask(poor, needs=needs, settings=settings).allowed


@pytest.mark.parametrize(
    ("code", "between", "clear"),
    [
        ("memory", {"free_memory_gb": 4.3}, {"free_memory_gb": 4.5}),
        ("disk", {"free_disk_gb": 10.5}, {"free_disk_gb": 11.5}),
        ("cpu", {"cpu_usage_percent": 75.0}, {"cpu_usage_percent": 71.0}),
        ("load", {"load_per_core": 1.9}, {"load_per_core": 1.7}),
        ("thermal", {"hottest_celsius": 80.0}, {"hottest_celsius": 76.0}),
        ("battery", {"battery_percent": 52.0, "on_mains": False}, {"battery_percent": 56.0, "on_mains": False}),
    ],
)
def test_after_a_refusal_the_figure_must_be_clearly_better(code, between, clear):
    assert ask(machine(**between)).allowed
    assert ask(machine(**between), previous=GuardDecision(allowed=True, code="ok", reason="")).allowed
    assert ask(machine(**between), previous=refused("hours")).allowed  # another guard refused: no margin for this one
    still = ask(machine(**between), previous=refused(code))
    assert (still.allowed, still.code) == (False, code)
    assert "margin" in still.reason
    assert ask(machine(**clear), previous=refused(code)).allowed


@pytest.mark.parametrize(
    ("code", "needs", "idle", "trembling"),
    [
        (
            "gpu_memory",
            {"min_free_gpu_memory_gb": 22.5},
            {"gpu": GPU.model_copy(update={"free_memory_gb": 23.4})},
            {"gpu": GPU.model_copy(update={"free_memory_gb": 22.6})},
        ),
        ("memory", {"min_free_memory_gb": 30}, {"free_memory_gb": 31.2}, {"free_memory_gb": 30.1}),
    ],
)
def test_a_margin_that_the_machine_does_not_have_holds_no_run_back_for_ever(code, needs, idle, trembling):
    """A limit near the whole: 22.5 of 24 GiB and a margin of a tenth would be 24.75."""
    wanted = NEEDS.model_copy(update=needs)
    assert ask(machine(**idle), needs=wanted, previous=refused(code)).allowed
    still = ask(machine(**trembling), needs=wanted, previous=refused(code))
    assert (still.code, "margin" in still.reason) == (code, True)


def test_more_than_the_whole_is_never_there():
    wanted = NEEDS.model_copy(update={"min_free_memory_gb": 40})
    assert ask(machine(free_memory_gb=32.0), needs=wanted, previous=refused("memory")).code == "memory"


def test_a_full_battery_is_enough_whatever_the_margin():
    settings = GuardSettings(min_battery_percent=100, hysteresis_percent=20)
    full = machine(battery_percent=100.0, on_mains=False)
    assert ask(full, settings=settings, previous=refused("battery")).allowed


@hypothesis.settings(deadline=None)
@given(
    cpu=st.floats(0, 100), memory=st.floats(0, 64), better=st.floats(0, 30), last=st.sampled_from(["", "cpu", "memory"])
)
def test_a_better_machine_is_never_refused_where_a_worse_one_is_allowed(cpu, memory, better, last):
    previous = refused(last) if last else None
    worse = ask(machine(cpu_usage_percent=cpu, free_memory_gb=memory), previous=previous)
    improved = ask(machine(cpu_usage_percent=max(0.0, cpu - better), free_memory_gb=memory + better), previous=previous)
    assert improved.allowed or not worse.allowed
    without = ask(machine(cpu_usage_percent=cpu, free_memory_gb=memory))
    assert without.allowed or not worse.allowed  # a margin only ever refuses more
