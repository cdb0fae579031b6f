"""The operations guide's `ModelRegistry`: networks in and out, and claims told apart from measurements."""

import math
import shutil
from datetime import UTC, datetime

import pytest
import torch
from torch import nn

from pipeline.evolution.model_registry import ModelRegistry
from pipeline.evolution.networks import build_network
from schemas.errors import ModelError
from schemas.model import Measured, ModelStatus
from schemas.network import ArchitectureType, NeuralNetworkConfig
from schemas.settings import Settings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GUIDE = {
    "name": "advanced_v2.1",
    "architecture": "CNN_Attention_Residual",
    "training_phase": "self_play",
    "performance_metrics": {"win_rate": 0.73, "strategic_score": 87.5, "inference_time_ms": 4.2},
}


@pytest.fixture
def registry(tmp_path, empty_database) -> ModelRegistry:
    torch.set_num_threads(1)
    torch.manual_seed(5)
    shutil.copyfile(empty_database, tmp_path / "automation_tracking.db")
    return ModelRegistry(Settings(home=tmp_path), now=lambda: NOW)


def network(kind: ArchitectureType = ArchitectureType.CNN_ATTENTION_RESIDUAL):
    small = NeuralNetworkConfig(
        architecture_type=kind, conv_channels=8, conv_blocks=1, attention_heads=2, hidden_layers=[16]
    )
    return build_network(small)


@pytest.mark.parametrize("kind", list(ArchitectureType))
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_network_comes_back_and_says_the_same(registry, kind, memory_format):
    model = network(kind).to(memory_format=memory_format)
    model.train()(torch.rand(8, 12, 11, 11), torch.rand(8, 32), torch.rand(8, 16))  # batch norms have seen something
    model_id = registry.register_model(model=model, model_info={"name": "any", "training_phase": "bootstrap"})
    back, info = registry.get_model(model_id)
    assert not back.training
    assert back.config == model.config
    assert info["architecture"] == kind.value
    seen = torch.rand(3, 12, 11, 11), torch.rand(3, 32), torch.rand(3, 16)
    with torch.inference_mode():
        for ours, theirs in zip(model.eval()(*seen), back(*seen), strict=True):
            torch.testing.assert_close(ours, theirs)  # another memory format adds in another order
    assert back.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == back.state_dict()[name].dtype
        assert torch.equal(tensor, back.state_dict()[name])


def test_the_guides_numbers_are_claims_and_its_print_works(registry):
    model_id = registry.register_model(model=network(), model_info=GUIDE)
    _, info = registry.get_model(model_id)
    assert info["claimed"] == GUIDE["performance_metrics"]
    assert info["measured"] == {}
    models = registry.list_models()
    told = [f"Model: {info['name']}, Win Rate: {info['performance_metrics']['win_rate']:.3f}" for info in models]
    assert told == ["Model: advanced_v2.1, Win Rate: nan"]
    assert math.isnan(models[0]["performance_metrics"]["win_rate"])
    assert registry.model_store.card(model_id).win_rate is None


def test_a_measured_number_is_told(registry):
    measured = Measured(value=0.73, low=0.7, high=0.76, games=1000, seed=3, how="duels")
    model_id = registry.register_model(network(), GUIDE | {"performance_metrics": {"win_rate": measured, "elo": 3}})
    (info,) = registry.list_models()
    assert info["performance_metrics"] == {"win_rate": 0.73}
    assert info["claimed"] == {"elo": 3}
    assert registry.model_store.card(model_id).win_rate == measured


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ({}, "name"),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "x", "architecture": "CNN_Simple"}, "the network is a CNN_Attention_Residual, not a CNN_Simple"),
        ({"name": "x", "performance_metrics": {"win_rate": "high"}}, "claimed.win_rate"),
        ({"name": "x", "parent_id": "nobody"}, "no such model"),
    ],
)
def test_what_cannot_be_registered_is_told_by_its_field(registry, info, told):
    with pytest.raises(ModelError, match=told):
        registry.register_model(network(), info)
    assert registry.list_models() == []


def test_a_module_of_the_users_own_is_refused(registry):
    with pytest.raises(ModelError, match="a Linear has no configuration to build it from again"):
        registry.register_model(nn.Linear(2, 2), GUIDE)
    with pytest.raises(ModelError, match="a Sequential has no configuration"):
        registry.register_model(nn.Sequential(network()), GUIDE)


def test_a_network_that_diverged_is_refused(registry):
    model = network()
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(ModelError, match="not all finite"):
        registry.register_model(model, GUIDE)


def test_weights_of_another_version_of_the_network_are_refused(registry):
    model = network()
    model_id = registry.register_model(model, GUIDE)
    card, weights = registry.model_store.get(model_id)
    # Not just the first: a file keeps its tensors in no fixed order, and counters of batches may be missing.
    weights.pop(min(name for name in weights if name.endswith("weight")))
    other = registry.model_store.put(card.model_copy(update={"name": "older"}), weights)
    with pytest.raises(ModelError, match=r"do not fit the network of the card: .*Missing key"):
        registry.get_model(other.id)


def test_promoting_rolling_back_retiring(registry):
    first, second = (registry.register_model(network(), GUIDE | {"name": name}) for name in ("one", "two"))
    registry.promote(first)
    registry.promote(second)
    assert registry.model_store.champion().id == second
    assert registry.roll_back() == first
    registry.retire(second)
    assert [info["status"] for info in registry.list_models()] == ["champion", "retired"]
    assert [info["id"] for info in registry.list_models(ModelStatus.CHAMPION)] == [first]
    child = registry.register_model(network(), GUIDE | {"name": "child", "parent_id": first})
    assert [card.id for card in registry.lineage(child)] == [child, first]
