"""The tensors of the fixed layers in a model file: found by their names, and the same numbers, bit for bit."""

import numpy as np
import onnx
import onnxruntime
import torch

from pipeline.evolution.networks import build_network
from pipeline.evolution.territory_features import territory_features
from pipeline.evolution.territory_tensors import GROUND_TENSORS
from pipeline.export.onnx_export import export_onnx
from pipeline.export.real_positions import real_positions
from pipeline.serve.onnx_model import to_floats
from schemas.exported_model import ExportCard
from schemas.network import ArchitectureType, NeuralNetworkConfig


def test_a_file_names_what_its_fixed_layers_tell(tmp_path):
    config = NeuralNetworkConfig(
        architecture_type=ArchitectureType.CNN_SIMPLE,
        conv_channels=4,
        conv_blocks=1,
        hidden_layers=[8],
        attention_heads=1,
        ground_steps=4,
    )
    torch.manual_seed(2)
    export_onnx(build_network(config), tmp_path / "one.onnx", card=ExportCard(model_id="one"))
    proto = onnx.load(tmp_path / "one.onnx")
    assert [output.name for output in proto.graph.output] == ["policy_logits", "value"]
    proto.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in GROUND_TENSORS)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = to_floats(real_positions(64, 3))
    names = ("board_state", "snake_features", "game_context")
    found = session.run(list(GROUND_TENSORS), dict(zip(names, inputs, strict=True)))
    for told, tensor in zip(territory_features(torch.from_numpy(inputs[0]), 4), found, strict=True):
        assert np.array_equal(told.numpy(), tensor)
        assert np.abs(tensor).max() == 1
