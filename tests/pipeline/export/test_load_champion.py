"""From an exported file back to its network, or a refusal that says what is missing."""

import hashlib

import onnx
import pytest
import safetensors.torch
import torch

from pipeline.evolution.networks import build_network
from pipeline.export.onnx_export import example_inputs, export_onnx, load_champion_model
from pipeline.export.parity import check_parity
from schemas.errors import ModelError
from schemas.exported_model import ExportCard
from schemas.network import ArchitectureType, NeuralNetworkConfig

TINY = NeuralNetworkConfig(
    architecture_type=ArchitectureType.CNN_SIMPLE,
    conv_channels=8,
    conv_blocks=1,
    hidden_layers=[8],
    attention_heads=1,
    ground_steps=0,
)


def test_a_network_of_ours_goes_out_and_comes_back(tmp_path):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = build_network(TINY)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.3)
    path = tmp_path / "champion.onnx"
    export_onnx(network, path, card=ExportCard(model_id="tiny"))
    check_parity(network, path, positions=300)
    again = load_champion_model(str(path))
    assert again.config == TINY
    assert not again.training
    inputs = example_inputs(2)
    for ours, theirs in zip(again(*inputs), network.eval()(*inputs), strict=True):
        assert torch.equal(ours, theirs)


@pytest.fixture
def told(exported, tmp_path):
    """Write a file that names this network and these weights; returns it."""

    def write(network, weights):
        path = tmp_path / "champion.onnx"
        proto = onnx.load(str(exported))
        texts = {entry.key: entry.value for entry in proto.metadata_props}
        texts |= {"network": network.model_dump_json() if network else "null"}
        texts |= {"weights_sha256": hashlib.sha256(weights).hexdigest()}
        onnx.helper.set_model_props(proto, texts)
        onnx.save(proto, str(path))
        path.with_suffix(".safetensors").write_bytes(weights)
        return path

    return write


def weights_of(config):
    return safetensors.torch.save(build_network(config).state_dict())


def test_weights_that_are_missing_or_others_are_refused(told):
    path = told(TINY, weights_of(TINY))
    load_champion_model(path)
    path.with_suffix(".safetensors").write_bytes(weights_of(TINY))
    with pytest.raises(ModelError, match="not the weights that the model was exported with"):
        load_champion_model(path)
    path.with_suffix(".safetensors").unlink()
    with pytest.raises(ModelError, match="full weights cannot be read"):
        load_champion_model(path)


def test_weights_of_another_network_are_refused(told):
    wider = TINY.model_copy(update={"conv_channels": 12})
    with pytest.raises(ModelError, match="do not fit the network"):
        load_champion_model(told(wider, weights_of(TINY)))


def test_a_file_that_names_no_network_is_refused(told):
    with pytest.raises(ModelError, match="does not say how its network is built"):
        load_champion_model(told(None, weights_of(TINY)))
