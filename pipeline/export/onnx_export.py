"""A network as one ONNX file that says what it is, and its full weights beside it for training on."""

import copy
import hashlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import onnx
import safetensors.torch
import torch

from pipeline.engine.layout import MOVE_WORDS
from pipeline.engine.planes import CHANNELS, ENCODER_ID
from pipeline.evolution.networks import Network, build_network
from pipeline.evolution.territory_tensors import GROUND_TENSORS
from pipeline.serve.contract import CONTEXT_NAMES, FEATURE_NAMES, INPUTS, OUTPUTS, read_contract
from schemas.errors import ExportError, ModelError
from schemas.exported_model import ExportCard, ExportedModel
from schemas.files import write_atomic

OPSET: Final = 18
"""The exporter's native opset: others are converted from it."""
WEIGHTS_SUFFIX: Final = ".safetensors"
_SIMPLE = (
    "Abs", "Add", "And", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat",
    "Constant", "Conv", "Div", "Equal", "Erf", "Expand", "Flatten", "Gather",
    "GatherND", "Gemm", "GlobalAveragePool", "Greater", "GreaterOrEqual", "Identity", "LayerNormalization", "Less",
    "LessOrEqual", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "Not",
    "Or", "Pad", "Pow", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu",
    "Reshape", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze",
    "Sub", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where",
)  # fmt: skip
SIMPLE_OPS: Final = frozenset(_SIMPLE)
"""What small runtimes (tract among them) can run; anything else is refused rather than found out in production."""
_LEAST_OPSET: Final = 17


def export_onnx(
    network: torch.nn.Module, path: Path, *, card: ExportCard, opset: int = OPSET, optimize: bool = True
) -> ExportedModel:
    """Write `network` to `path` as ONNX after the tensor contract, and its weights to the same name `.safetensors`.

    The network is exported in evaluation mode (a copy: the original keeps
    its mode and device); `optimize` also folds constants and removes what is never used. Both files appear whole or not
    at all, the weights first: an ONNX file always has its own. The tensors of a network's fixed layers are called
    `GROUND_TENSORS`.

    Raises:
        ExportError: an opset below 17, the exporter failed, or the graph has operators that small runtimes lack.
        ModelError: what was written does not keep the contract, for instance other shapes.
    """
    if opset < _LEAST_OPSET:
        raise ExportError(f"opset {opset} is too old", where="opset", remedy=f"Take {_LEAST_OPSET} or later.")
    weights = safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()})
    contract = ExportedModel(
        **card.model_dump(),
        encoder_id=ENCODER_ID,
        channels=list(CHANNELS),
        features=list(FEATURE_NAMES),
        context=list(CONTEXT_NAMES),
        moves=list(MOVE_WORDS),
        network=getattr(network, "config", None),
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    proto = _to_onnx(network, opset, path, optimize=optimize)
    onnx.helper.set_model_props(proto, contract.to_texts())
    _check_graph(proto, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path.with_suffix(WEIGHTS_SUFFIX), weights)
    write_model(proto, path)
    return contract


def write_model(proto: onnx.ModelProto, path: Path) -> None:
    """Write a model file that keeps the contract, or leave what stood there.

    Raises:
        ModelError: it does not keep the contract.
    """
    draft = path.with_name(f".{path.name}.draft.tmp")
    try:
        draft.write_bytes(proto.SerializeToString())
        read_contract(draft)
    finally:
        draft.unlink(missing_ok=True)
    write_atomic(path, proto.SerializeToString())


def example_inputs(rows: int) -> tuple[torch.Tensor, ...]:
    """Return zero inputs of the contract's shapes."""
    return tuple(torch.zeros((rows, *tensor.shape)) for tensor in INPUTS)


def _to_onnx(network: torch.nn.Module, opset: int, path: Path, *, optimize: bool) -> onnx.ModelProto:
    copied = copy.deepcopy(network).cpu().float().eval()
    named = [tensor.name for tensor in OUTPUTS]
    if isinstance(copied, Network) and copied.config.ground_steps:
        copied, named = _WithTerritory(copied).eval(), [*named, *GROUND_TENSORS]
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    try:
        with _quiet_exporter(), torch.no_grad():
            program = torch.onnx.export(
                copied,
                example_inputs(2),
                dynamo=True,
                opset_version=opset,
                input_names=[tensor.name for tensor in INPUTS],
                output_names=named,
                dynamic_shapes=tuple({0: batch} for _ in INPUTS),
                optimize=optimize,
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        raise ExportError(
            f"torch's exporter failed: {error}",
            where=str(path),
            remedy="The network must take board_state, snake_features, game_context and return policy_logits, value.",
        ) from error
    if program is None:
        raise ExportError("torch's exporter returned nothing", where=str(path), remedy="Check the torch version.")
    proto = program.model_proto
    del proto.graph.output[len(OUTPUTS) :]  # the tensors keep their names
    _forget_sources(proto)
    return proto


class _WithTerritory(torch.nn.Module):
    """A network whose fixed layers' tensors are outputs too: that gives them their names."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    def forward(
        self, board_state: torch.Tensor, snake_features: torch.Tensor, game_context: torch.Tensor
    ) -> list[torch.Tensor]:
        return self._network.forward_with_ground(board_state, snake_features, game_context)


def _forget_sources(proto: onnx.ModelProto) -> None:
    """Remove what the exporter notes of the Python code (file paths among it)."""
    graph = proto.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    graph.doc_string = proto.doc_string = ""


def _check_graph(proto: onnx.ModelProto, path: Path) -> None:
    try:
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:
        raise ExportError(f"onnx's checker refuses the graph: {error}", where=str(path)) from error
    strange = sorted({node.op_type for node in proto.graph.node if node.domain or node.op_type not in SIMPLE_OPS})
    if strange:
        raise ExportError(
            f"the graph has operators that small runtimes lack: {', '.join(strange)}",
            where=str(path),
            remedy="Build the network from simpler layers.",
        )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns of what is no fault here: torchvision's absence, and that the three batches are one axis."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*axis name.*will not be used", category=UserWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(torch|onnxscript|onnx_ir|copyreg)")
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"(torch|onnxscript|onnx_ir|copyreg)")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def describe(path: Path) -> dict[str, Any]:
    """Return what can be counted of a model file: operators, opset, parameters, bytes."""
    proto = onnx.load(io.BytesIO(path.read_bytes()))
    operators: dict[str, int] = {}
    for node in proto.graph.node:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1
    parameters = sum(int(torch.Size(list(t.dims)).numel()) for t in proto.graph.initializer)
    opset = max(entry.version for entry in proto.opset_import if not entry.domain)
    return {"operators": operators, "opset": opset, "parameters": parameters, "bytes": path.stat().st_size}


def load_champion_model(path: str | Path) -> Network:
    """Return the network that `path`, an ONNX file of ours, was exported from, on the CPU and ready to play.

    An ONNX file holds batch norm folded and no training heads, so the weights come from the safetensors file that
    stands beside it; the digest in the ONNX file's metadata proves that they belong together.

    Raises:
        ModelError: the file does not keep the contract, says nothing of its network, or its weights are missing or
            others.
    """
    path = Path(path)
    contract = read_contract(path)
    if contract.network is None:
        raise ModelError(
            "the file does not say how its network is built",
            where=f"{path}, network",
            remedy="Only models exported from a network of pipeline.evolution can be trained on.",
        )
    weights = path.with_suffix(WEIGHTS_SUFFIX)
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the full weights cannot be read: {error.strerror or error}",
            where=str(weights),
            remedy="Keep the .safetensors file of the export beside the .onnx file, under the same name.",
        ) from error
    if hashlib.sha256(content).hexdigest() != contract.weights_sha256:
        raise ModelError(
            "these are not the weights that the model was exported with",
            where=f"{weights}, sha256",
            remedy="Copy both files of the export again.",
        )
    network = build_network(contract.network)
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except RuntimeError as error:
        raise ModelError(
            f"the weights do not fit the network: {error}",
            where=str(weights),
            remedy="They were made by another version of the code; use that version.",
        ) from error
    return network.eval()
