"""A run's state where the machine does not tell its figures."""

import psutil

from pipeline.machine_figures import measured
from pipeline.orchestrator.progress import machine_use


def fails(*_arguments):
    raise FileNotFoundError(2, "No such file or directory", "/sys/class")


def test_a_figure_that_cannot_be_had_is_none_and_the_others_stay(tmp_path, monkeypatch):
    assert 0 <= machine_use(tmp_path)["disk_usage_percent"] <= 100
    monkeypatch.setattr(psutil, "virtual_memory", fails)
    seen = machine_use(tmp_path)
    assert (seen["memory_usage_percent"], seen["disk_usage_percent"] is None) == (None, False)
    assert machine_use(tmp_path / "absent")["disk_usage_percent"] is None
    assert measured(fails) is None
