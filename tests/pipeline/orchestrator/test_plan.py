"""Which phases a run has, and how its time is divided: pure."""

from datetime import UTC, datetime

import pytest

from pipeline.orchestrator.plan import phase_budget_s, plan_phases
from schemas.errors import SettingsError
from schemas.model import ModelCard, ModelStatus
from schemas.network import NeuralNetworkConfig
from schemas.phases import TrainingPhaseConfig, default_phases
from schemas.training import TrainingConfiguration

NETWORK = NeuralNetworkConfig()


def card(model_id: str, phase: str, parent: str | None = None) -> ModelCard:
    return ModelCard(
        name=model_id, architecture="CNN_Attention_Residual", training_phase=phase, network=NETWORK,
        encoder_id="e", parent_id=parent, created_at=datetime(2026, 11, 21, tzinfo=UTC), id=model_id, version=1,
        status=ModelStatus.CHAMPION, weights_file="w", sha256="0" * 64, size_bytes=1, parameters=1,
    )  # fmt: skip


LINEAGE = [card("c", "self_play", "b"), card("b", "hybrid", "a"), card("a", "bootstrap")]


def test_a_first_run_does_all_phases_from_nothing():
    plan = plan_phases(TrainingConfiguration(), default_phases(), NETWORK, [])
    assert plan.phases == ("bootstrap", "hybrid", "self_play", "continuous")
    assert plan.base_model is None


def test_supervised_phases_behind_the_champion_are_not_repeated():
    plan = plan_phases(TrainingConfiguration(), default_phases(), NETWORK, LINEAGE)
    assert plan.phases == ("continuous",), "the everlasting learner goes on from what self-play made"
    assert plan.base_model == "c"
    assert len(plan.left_out) == 3
    alone = TrainingConfiguration(target_phases=["bootstrap", "self_play"])
    assert plan_phases(alone, default_phases(), NETWORK, LINEAGE).phases == ("self_play",)
    off = TrainingConfiguration(continuous_learning_enabled=False)
    assert plan_phases(off, default_phases(), NETWORK, LINEAGE).phases == ("self_play",)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("self_play", "validation_split", 0.3),
        ("self_play", "early_stopping_patience", 3),
        ("continuous", "validation_split", 0.3),
        ("continuous", "early_stopping_patience", 3),
        ("bootstrap", "heuristic_mix_ratio", 0.5),
        ("bootstrap", "heuristic_mix_ratio_end", 0.5),
    ],
)
def test_a_knob_that_does_nothing_in_a_phase_is_refused_there_by_name(name, field, value):
    phases = default_phases()
    setattr(phases[name], field, value)
    with pytest.raises(SettingsError, match=rf"{field} does nothing .*training_phases\.{name}\.{field}"):
        plan_phases(TrainingConfiguration(), phases, NETWORK, [])
    plan_phases(TrainingConfiguration(target_phases=["hybrid"]), phases, NETWORK, [])  # only what is to be done


def test_by_default_time_alone_ends_self_play_and_cycles():
    for name in ("self_play", "continuous"):
        phase = default_phases()[name]
        assert min(phase.max_epochs, phase.games_required) > 12 * 3600 * 1000, "no machine does that in 12 hours"


def test_force_retrain_begins_from_nothing():
    plan = plan_phases(TrainingConfiguration(force_retrain=True), default_phases(), NETWORK, LINEAGE)
    assert plan.phases[0] == "bootstrap"
    assert plan.base_model is None


def test_another_network_begins_from_nothing():
    other = NeuralNetworkConfig(conv_channels=32)
    plan = plan_phases(TrainingConfiguration(), default_phases(), other, LINEAGE)
    assert plan.phases[0] == "bootstrap"
    assert plan.base_model is None


def test_continuous_learning_can_be_switched_off():
    plan = plan_phases(TrainingConfiguration(continuous_learning_enabled=False), default_phases(), NETWORK, [])
    assert "continuous" not in plan.phases
    assert "continuous_learning_enabled" in plan.left_out[0]


def test_a_phase_that_nobody_configured_is_refused_by_name():
    with pytest.raises(SettingsError, match="no phase is called custom"):
        plan_phases(TrainingConfiguration(target_phases=["custom"]), default_phases(), NETWORK, [])
    phases = default_phases() | {"custom": TrainingPhaseConfig()}
    assert plan_phases(TrainingConfiguration(target_phases=["custom"]), phases, NETWORK, []).phases == ("custom",)


def test_nothing_left_to_do_is_said():
    with pytest.raises(SettingsError, match="no phase is left"):
        plan_phases(TrainingConfiguration(target_phases=["bootstrap"]), default_phases(), NETWORK, LINEAGE)


def test_time_goes_by_shares_and_what_is_not_used_goes_on():
    phases = {"a": TrainingPhaseConfig(time_share=1), "b": TrainingPhaseConfig(time_share=3)}
    assert phase_budget_s(400, ["a", "b"], phases) == 100
    assert phase_budget_s(390, ["b"], phases) == 390
    assert phase_budget_s(-5, ["b"], phases) == 0
