"""The check of a rented machine runs where there is no GPU too, and tells all of its figures."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_check.py"


@pytest.mark.timeout(900)
def test_the_small_check_tells_every_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec is not None and spec.loader is not None
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--small"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    threads = torch.get_num_threads()
    try:
        check.main()
    finally:
        torch.set_num_threads(threads)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["device"] == "no GPU: the CPU"
    assert all(found[f"positions_per_s_{half}"] > 0 for half in ("acting", "training", "both"))
    assert (found["gpu_idle_share"], found["kernels_per_step"], found["gpu_memory_mb"]) == (None, None, None)
    assert 0 <= found["score_against_strong_after"] <= 1
    assert found["learned_updates"] >= 1
    assert float(found["onnx_parity"]) < 1e-4
    assert found["memory_mb"] > 0
