"""The machine's gauges on the first page, in the API and in `ouroboros top`: a GPU too, of a made-up driver."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_up_driver import MadeUpDriver, compiled
from served_site import Served, served, wait_for

from runner import cli
from runner.guards.gauges import gauges_of
from schemas.machine import GpuFinding, GpuState, ResourceRequirements, ResourceSnapshot
from schemas.outside_text import line


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpDriver:
    folder = tmp_path / "driver"
    folder.mkdir()
    compiled(folder)
    made_up = MadeUpDriver(folder)
    for name, value in made_up.environment.items():
        monkeypatch.setenv(name, value)
    return made_up


def gpu_of(site: Served) -> dict[str, object]:
    gauges = site.get("/api/v1/guards").json[0]["gauges"]
    return next((gauge for gauge in gauges if gauge["name"] == "GPU memory free"), {})


def test_a_gpu_is_a_gauge_everywhere_and_a_broken_driver_is_words(
    home: Path, driver: MadeUpDriver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(home) as site:
        wait_for(lambda: gpu_of(site).get("value") == 23.0)
        assert gpu_of(site)["top"] == 24.0
        page = site.get("/").body.decode()
        assert "GPU memory free" in page
        assert "23.0 GiB" in page
        assert "3.0 %" in page, "its use"
        driver.does(f"used {24 << 30}")
        wait_for(lambda: gpu_of(site).get("value") == 0.0)
        monkeypatch.setenv("OUROBOROS_HOME", str(home))
        assert cli.run(["top", "--once"]) == 0
        top = capsys.readouterr().out
        assert "GPU memory free" in top
        assert "0.0 GiB" in top
        driver.does("crash memory")
        wait_for(lambda: gpu_of(site)["value"] is None and "killed by signal" in str(gpu_of(site)["problem"]))
        assert "killed by signal" in site.get("/").body.decode()


@pytest.mark.parametrize(
    ("state", "value", "problem"),
    [
        (GpuState(finding=GpuFinding.HIDDEN, detail="CUDA_VISIBLE_DEVICES hides it"), None, "hides it"),
        (GpuState(finding=GpuFinding.SILENT, detail="it does not answer", silent_s=7), None, "does not answer"),
        (GpuState(finding=GpuFinding.BUSY, detail="2 processes", free_memory_gb=3, total_memory_gb=8), 3, "busy: 2"),
        (GpuState(finding=GpuFinding.USABLE, detail="a Jetson", shares_memory=True), 5, "Jetson"),
    ],
)
def test_what_is_said_of_a_gpu(state: GpuState, value: float | None, problem: str) -> None:
    seen = ResourceSnapshot(
        taken_at=datetime(2026, 11, 30, tzinfo=UTC), cpu_usage_percent=None, usable_cores=2, load_per_core=None,
        total_memory_gb=16, free_memory_gb=5, free_disk_gb=9, gpu=state,
    )  # fmt: skip
    gauge = gauges_of(seen, ResourceRequirements(min_free_gpu_memory_gb=4))[-1]
    assert (gauge.value, gauge.limit, gauge.holds_back) == (value, 4, value == 3)
    assert problem in line(gauge.problem)


def test_a_machine_without_a_gpu_has_no_gauge_for_it(reading: Served) -> None:
    assert gpu_of(reading) == {}
