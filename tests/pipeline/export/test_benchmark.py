"""Production readiness is measured in a process that serves the model, and says why a model is not ready."""

import pytest

from pipeline.export.benchmark import PerformanceBenchmark
from pipeline.export.serving import ServerKind
from schemas.errors import ModelError
from schemas.settings import Settings


@pytest.fixture
def benchmark(tmp_path):
    return PerformanceBenchmark(Settings(home=tmp_path), decisions=20, server=ServerKind.PYTHON)


def test_a_network_is_measured_as_it_is_served(benchmark, network):
    ready, metrics = benchmark.validate_production_readiness(network, max_inference_time_ms=60_000, max_memory_mb=4000)
    assert (ready, metrics["reasons"]) == (True, [])
    assert metrics["server"] == "python"
    assert metrics["decisions"] == 20
    assert metrics["same_moves"] == 1.0
    assert 0 < metrics["inference_time_p50_ms"] <= metrics["inference_time_ms"] <= metrics["inference_time_worst_ms"]
    assert 50 < metrics["memory_usage_mb"] < 4000, "numba alone takes that much"


def test_every_broken_limit_is_a_reason(benchmark, exported):
    ready, metrics = benchmark.validate_production_readiness(exported, max_inference_time_ms=1e-6, max_memory_mb=50)
    assert not ready
    time_reason, memory_reason = metrics["reasons"]
    assert "the limit is 1e-06 ms" in time_reason
    assert "the python server takes" in memory_reason and "the limit is 50 MB" in memory_reason


def test_a_model_that_nobody_knows_is_refused(benchmark):
    with pytest.raises(ModelError, match="no exported model is called 'nobody'"):
        benchmark.validate_production_readiness("nobody")
