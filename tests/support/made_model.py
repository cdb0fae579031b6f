"""Model files without torch: built node by node, so that tests need what a production machine has."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.engine.layout import MOVE_WORDS
from pipeline.engine.planes import CHANNELS, ENCODER_ID
from pipeline.serve.contract import CONTEXT_NAMES, FEATURE_NAMES, INPUTS, OUTPUTS
from schemas.exported_model import ExportedModel


def make_model(path, model_id, weight, *, work=0, **fields):
    """Write a file whose logits are `weight` (32x4) times the features; `work` matrix products only take time."""

    def tensor(entry):
        return helper.make_tensor_value_info(entry.name, TensorProto.FLOAT, ["batch", *entry.shape])

    chain, name = [], "snake_features"
    constants = {"weight": np.asarray(weight, np.float32), "column": np.eye(32, 1, dtype=np.float32)}
    if work:
        constants |= {"wide": np.zeros((32, 2048), np.float32), "square": np.zeros((2048, 2048), np.float32)}
        constants |= {"back": np.zeros((2048, 32), np.float32)}
        chain.append(helper.make_node("MatMul", ["snake_features", "wide"], ["w0"]))
        chain += [helper.make_node("MatMul", [f"w{i}", "square"], [f"w{i + 1}"]) for i in range(work)]
        chain.append(helper.make_node("MatMul", [f"w{work}", "back"], ["zero"]))
        chain.append(helper.make_node("Add", ["snake_features", "zero"], ["same"]))
        name = "same"
    nodes = [
        *chain,
        helper.make_node("MatMul", [name, "weight"], ["policy_logits"]),
        helper.make_node("MatMul", ["snake_features", "column"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["value"]),
        helper.make_node("Flatten", ["board_state"], ["unused"]),
        helper.make_node("Flatten", ["game_context"], ["unused_too"]),
    ]
    stored = [numpy_helper.from_array(array, key) for key, array in constants.items()]
    graph = helper.make_graph(nodes, "made", [tensor(t) for t in INPUTS], [tensor(t) for t in OUTPUTS], stored)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    contract = ExportedModel(
        model_id=model_id, encoder_id=ENCODER_ID, channels=list(CHANNELS), features=list(FEATURE_NAMES),
        context=list(CONTEXT_NAMES), moves=list(MOVE_WORDS), **fields,
    )  # fmt: skip
    helper.set_model_props(proto, contract.to_texts())
    onnx.save(proto, str(path))
    return path


def prefers(*order):
    """Weights by which open directions are taken in this order of preference."""
    weight = np.zeros((32, 4), np.float32)
    for rank, word in enumerate(order):
        weight[FEATURE_NAMES.index(f"open_{word}"), MOVE_WORDS.index(word)] = 4 - rank
    return weight
