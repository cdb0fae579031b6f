"""What a phase's updates tell becomes progress, words and curves."""

from dataclasses import replace
from types import SimpleNamespace

from pipeline.phases import context
from pipeline.phases.context import TrainingMetrics


def test_progress_is_the_phases_own_and_curves_are_written(work, tmp_path, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(context, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    told = []
    orders = replace(work(), report=lambda *words: told.append(words))
    with TrainingMetrics(orders, tmp_path / "cycle", 0.5, 0.75) as report:
        report(0.0, "begins", {})
        report(0.5, "update 1", {"updates": 1.0, "positions_per_s": 1234.0, "loss/policy": 0.5})
        report(1.0, "update 2", {"updates": 2.0})
    assert [done for done, _, _ in told] == [0.5, 0.625, 0.75]
    assert "1,234 positions/s" in told[1][1]
    assert "left" in told[1][1]
    assert told[1][2]["loss/policy"] == 0.5
    (events,) = (tmp_path / "cycle" / "curves").glob("events.*")
    assert b"loss/policy" in events.read_bytes()
