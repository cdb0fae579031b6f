"""Model files: the contract they keep, the files that are refused, and that they say what their network says."""

import copy
import hashlib

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from pipeline.engine.planes import CHANNELS, ENCODER_ID
from pipeline.export.onnx_export import SIMPLE_OPS, describe, example_inputs, export_onnx
from pipeline.export.parity import check_parity
from pipeline.export.real_positions import real_positions
from pipeline.serve.contract import CONTEXT_NAMES, FEATURE_NAMES, read_contract
from pipeline.serve.onnx_model import OnnxModel, OnnxPolicy, to_floats
from schemas.errors import ExportError, ModelError


def test_a_file_tells_its_contract(exported, card):
    told = read_contract(exported)
    assert (told.encoder_id, tuple(told.channels)) == (ENCODER_ID, CHANNELS)
    assert (tuple(told.features), tuple(told.context)) == (FEATURE_NAMES, CONTEXT_NAMES)
    assert told.moves == ["up", "down", "left", "right"]
    assert card.model_dump().items() <= told.model_dump().items()
    assert told.weights_sha256 == hashlib.sha256(exported.with_suffix(".safetensors").read_bytes()).hexdigest()


def test_a_file_holds_simple_operators_no_batch_norm_and_no_sources(exported):
    about = describe(exported)
    assert about["opset"] >= 17
    assert set(about["operators"]) <= SIMPLE_OPS
    assert "BatchNormalization" not in about["operators"]
    assert "Dropout" not in about["operators"]
    assert b".py" not in exported.read_bytes()


def test_the_network_stays_as_it_was(network, exported):
    assert network.training
    kept = load_file(exported.with_suffix(".safetensors"))
    assert set(kept) == set(network.state_dict())
    assert all(torch.equal(kept[name], tensor) for name, tensor in network.state_dict().items())


def test_parity_holds_on_real_positions(network, exported):
    found = check_parity(network, exported, positions=512)
    assert found.positions == 512
    assert max(found.logits_error, found.value_error, found.batch_error) <= 1e-5
    assert found.largest_logit > 0.1


def test_a_file_of_another_network_is_refused(network, exported):
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.policy.bias += 1e-4
    with pytest.raises(ExportError, match=r"differ by 5\.\d+e-04 .*limit is 1e-05 on 300 positions"):
        check_parity(other, exported, positions=300)


def test_a_network_that_says_nan_is_refused(network, exported):
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.value.bias.fill_(float("nan"))
    with pytest.raises(ExportError, match="differ by inf"):
        check_parity(other, exported, positions=64)


def test_real_positions_are_the_same_for_a_seed_and_many_games(tmp_path):
    first, again, other = (real_positions(500, seed) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.planes, other.planes)
    assert len(np.unique(first.planes.reshape(500, -1), axis=0)) > 400
    assert set(first.context[:, 2]) == {2, 4}, "duels and fours"


def rewritten(source, target, change):
    proto = onnx.load(str(source))
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    change(proto, texts)
    onnx.helper.set_model_props(proto, texts)
    onnx.save(proto, str(target))
    return target


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _, texts: texts.update(encoder_id="ouroboros-0-00000000"), "made for encoder 'ouroboros-0-00000000'"),
        (lambda _, texts: texts.clear(), "no encoder id"),
        (lambda _, texts: texts.update(channels='["board"]'), r"the model names \['board'\]"),
        (lambda _, texts: texts.update(moves='["down", "up", "left", "right"]'), "the model names"),
        (lambda _, texts: texts.update(games="many"), "metadata cannot be read"),
        (lambda _, texts: texts.pop("model_id"), "model_id"),
        (lambda proto, _: rename_input(proto, "board_state", "board"), "tensors are"),
        (lambda proto, _: fix_batch(proto), "needed is float32 with a free batch"),
    ],
)
def test_files_that_break_the_contract_are_refused(exported, tmp_path, change, says):
    with pytest.raises(ModelError, match=says):
        read_contract(rewritten(exported, tmp_path / "odd.onnx", change))


def rename_input(proto, old, new):
    for node in proto.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
    for tensor in proto.graph.input:
        tensor.name = new if tensor.name == old else tensor.name


def fix_batch(proto):
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = 1


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "noise.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="onnxruntime cannot load"):
        read_contract(tmp_path / "noise.onnx")
    with pytest.raises(ModelError, match="no such model file"):
        read_contract(tmp_path / "absent.onnx")


class Sorting(nn.Module):
    """Uses an operator that small runtimes lack."""

    def forward(self, board_state, snake_features, game_context):
        ordered = torch.argsort(snake_features, dim=1).float()
        return ordered[:, :4], torch.tanh(game_context[:, :1] + board_state[:, 0, 0, :1])


def test_strange_operators_are_refused_and_nothing_is_left(tmp_path, card):
    with pytest.raises(ExportError, match="operators that small runtimes lack: "):
        export_onnx(Sorting(), tmp_path / "champion.onnx", card=card)
    assert list(tmp_path.iterdir()) == []


def test_an_old_opset_is_refused(network, tmp_path, card):
    with pytest.raises(ExportError, match="opset 16 is too old"):
        export_onnx(network, tmp_path / "champion.onnx", card=card, opset=16)


def test_a_row_of_the_policy_does_not_depend_on_its_batch(exported):
    rows, policy = real_positions(150, 11), OnnxPolicy(exported)
    masks, draws = np.ones((150, 4), np.bool_), np.zeros(150, np.float32)
    together = policy.choose(rows, masks, draws)
    alone = [policy.choose(type(rows)(*(a[i : i + 1] for a in rows)), masks[:1], draws[:1])[0] for i in range(150)]
    assert together.tolist() == alone
    assert policy.name == "model:small-1"
    masks[:] = [False, True, False, False]
    assert set(policy.choose(rows, masks, draws)) == {1}


def test_floats_are_the_encoders(exported):
    rows = real_positions(3, 2)
    planes, features, context = to_floats(rows)
    assert planes.dtype == features.dtype == context.dtype == np.float32
    assert features[0, 0] == np.float32(rows.features[0, 0]) * np.float32(1 / 100)
    said = OnnxModel(exported).evaluate(*(tensor.numpy() for tensor in example_inputs(7)))
    assert said.policy_logits.shape == (7, 4)
    assert said.value.shape == (7, 1)
