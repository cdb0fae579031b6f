"""Cycles: promoted, turned down, back to the champion; and gone on with after any end."""

import json

import pytest
import torch

from pipeline.evolution.networks import build_network
from pipeline.evolution.self_play import SelfPlayReport
from pipeline.phases import continuous as room
from pipeline.phases.continuous import continuous
from schemas.errors import ModelError, StoppedError
from schemas.model import ModelCard, ModelStatus
from schemas.phases import DataSource

CPU = torch.device("cpu")


def card(name: str, status: ModelStatus, now) -> ModelCard:
    return ModelCard(
        name=name, architecture="CNN_Simple", training_phase="continuous", network={}, encoder_id="e", created_at=now,
        id=name, version=1, status=status, weights_file="w", sha256="0" * 64, size_bytes=1, parameters=1,
    )  # fmt: skip


class Judges:
    """Decides by a list: True promotes."""

    def __init__(self, decisions, now):
        self.decisions, self.now = list(decisions), now
        self.asked, self.loaded = [], []
        self.network = None

    def judge(self, made, name, parent):
        self.asked.append((name, parent))
        decision = self.decisions.pop(0)
        if isinstance(decision, Exception):
            raise decision
        return card(name, ModelStatus.CHAMPION if decision else ModelStatus.REJECTED, self.now())

    def load(self, model_id):
        self.loaded.append(model_id)
        return self.network


@pytest.fixture
def cycles(work, monkeypatch):
    """Runs the phase with decisions; `improve` plays nothing: ten games a cycle, told as such."""

    def improve(network, phase, settings, *, seed, checkpoints, report, stop, time_budget_s):
        report(1.0, "update", {"updates": 1.0})
        return SelfPlayReport(
            updates=phase.max_epochs, games=10, decisions=100, setbacks=0, stopped=stop(), numbers={}
        )  # fmt: skip

    monkeypatch.setattr(room, "improve", improve)

    def run(decisions, **orders):
        given = work("continuous", data_source=DataSource.CONTINUOUS, base_model="base", **orders)
        judges = Judges(decisions, given.now)
        judges.network = build_network(given.settings.neural_network)
        try:
            return continuous(given, judges.network, CPU, judges.judge, judges.load), judges
        except StoppedError:
            return None, judges

    return run


def test_a_promoted_cycle_is_gone_on_from(cycles):
    result, judges = cycles([True, True], max_epochs=2, games_required=1000)
    assert judges.asked == [("cycle 1", "base"), ("cycle 2", "cycle 1")]
    assert judges.loaded == ["cycle 1"]
    assert (result.games, result.judged_as, result.stopped) == (20, "cycle 2", False)
    assert "2 promoted" in result.summary


def test_small_gains_add_up_until_patience_is_over(cycles):
    result, judges = cycles(
        [False, False, True], max_epochs=3, games_required=1000, early_stopping_patience=2, champion=lambda: "champion"
    )
    assert judges.asked == [("cycle 1", "base"), ("cycle 2", "cycle 1"), ("cycle 3", "champion")]
    assert result.judged_as == "cycle 3"
    assert "1 promoted, 1 times back" in result.summary


def test_the_number_of_games_ends_it_too(cycles):
    result, judges = cycles([False] * 9, max_epochs=9, games_required=25)
    assert len(judges.asked) == 3
    assert result.games == 30


def test_judging_that_was_stopped_is_done_again_at_the_next_call(cycles, tmp_path):
    ended, judges = cycles([True, StoppedError("asked")], max_epochs=3, games_required=1000)
    assert ended is None
    kept = json.loads((tmp_path / "run" / "continuous" / "cycles.json").read_text())
    assert (kept["next"], kept["promoted"], kept["current"], kept["games"]) == (1, 1, "cycle 1", 10)
    result, judges = cycles([False, True], max_epochs=3, games_required=1000)
    assert judges.asked == [("cycle 2", "cycle 1"), ("cycle 3", "cycle 2")]
    assert (result.games, result.judged_as) == (30, "cycle 3")


def test_a_stop_in_a_cycle_tells_its_games_and_judges_nothing(cycles):
    result, judges = cycles([], max_epochs=2, games_required=1000, stop=lambda: True)
    assert (result.stopped, result.games, judges.asked) == (True, 10, [])


def test_without_a_finished_cycle_the_phase_ends_with_the_model_it_began_with(cycles, tmp_path):
    folder = tmp_path / "run" / "continuous"
    folder.mkdir(parents=True)
    (folder / "cycles.json").write_text('{"next": 2}')
    result, judges = cycles([], max_epochs=2, games_required=1000)
    assert (result.judged_as, judges.asked) == ("base", [])


def test_a_damaged_record_of_cycles_is_told_with_its_place(cycles, tmp_path):
    folder = tmp_path / "run" / "continuous"
    folder.mkdir(parents=True)
    (folder / "cycles.json").write_text("{")
    with pytest.raises(ModelError, match=r"cycles\.json"):
        cycles([], max_epochs=2, games_required=1000)
