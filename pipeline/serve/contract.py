"""The tensor contract of model files, and the loader that refuses what breaks it."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import onnxruntime

from pipeline.engine.layout import MOVE_WORDS
from pipeline.engine.planes import CHANNELS, CONTEXT, ENCODER_ID, FEATURES, FRAME
from schemas.errors import ModelError
from schemas.exported_model import ExportedModel


class Tensor(NamedTuple):
    """An input or output: its name, and its shape without the batch."""

    name: str
    shape: tuple[int, ...]


INPUTS: Final = (
    Tensor("board_state", (len(CHANNELS), FRAME, FRAME)),
    Tensor("snake_features", (len(FEATURES),)),
    Tensor("game_context", (len(CONTEXT),)),
)
OUTPUTS: Final = (Tensor("policy_logits", (len(MOVE_WORDS),)), Tensor("value", (1,)))
FEATURE_NAMES: Final = tuple(slot.name for slot in FEATURES)
CONTEXT_NAMES: Final = tuple(slot.name for slot in CONTEXT)
_EXPORT_AGAIN: Final = "Export the model again with this version, or run the version that exported it."


def quick_session(path: Path) -> onnxruntime.InferenceSession:
    """Return an onnxruntime session for single decisions: one thread, no spinning, no memory kept in arenas.

    Raises:
        ModelError: no such file, or onnxruntime cannot read it.
    """
    if not path.is_file():
        raise ModelError("there is no such model file", where=str(path), remedy="Check the path, or export it first.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"onnxruntime cannot load the model: {error}", where=str(path), remedy="Export it again."
        ) from error


def read_contract(path: Path) -> ExportedModel:
    """Return a model file's metadata, checked against the encoder of this version.

    Raises:
        ModelError: unreadable, without our metadata, made for another encoder, or with other tensors; says which.
    """
    return check_contract(quick_session(path), path)


def check_contract(session: onnxruntime.InferenceSession, path: Path) -> ExportedModel:
    """The same for a session that is open already; `path` is only named in errors."""
    texts = dict(session.get_modelmeta().custom_metadata_map)
    if "encoder_id" not in texts:
        raise ModelError("the file has no encoder id: it is no model of ours", where=str(path), remedy=_EXPORT_AGAIN)
    if texts["encoder_id"] != ENCODER_ID:
        raise ModelError(
            f"the model was made for encoder {texts['encoder_id']!r}; this version encodes {ENCODER_ID!r}",
            where=f"{path}, encoder_id",
            remedy=_EXPORT_AGAIN,
        )
    try:
        model = ExportedModel.from_texts(texts)
    except ValueError as error:
        raise ModelError(f"the metadata cannot be read: {error}", where=str(path), remedy=_EXPORT_AGAIN) from error
    named = {"channels": CHANNELS, "features": FEATURE_NAMES, "context": CONTEXT_NAMES, "moves": MOVE_WORDS}
    for field, names in named.items():
        if tuple(getattr(model, field)) != tuple(names):
            raise ModelError(
                f"the model names {getattr(model, field)}, not {list(names)}",
                where=f"{path}, {field}",
                remedy=_EXPORT_AGAIN,
            )
    _check_tensors(session.get_inputs(), INPUTS, f"{path}, inputs")
    _check_tensors(session.get_outputs(), OUTPUTS, f"{path}, outputs")
    return model


def _check_tensors(found: list[Any], wanted: tuple[Tensor, ...], where: str) -> None:
    names = [tensor.name for tensor in found]
    if names != [tensor.name for tensor in wanted]:
        raise ModelError(
            f"tensors are {names}, not {[tensor.name for tensor in wanted]}", where=where, remedy=_EXPORT_AGAIN
        )
    for tensor, want in zip(found, wanted, strict=True):
        batch, *shape = tensor.shape
        if tuple(shape) != want.shape or tensor.type != "tensor(float)" or isinstance(batch, int):
            raise ModelError(
                f"{want.name} is {tensor.type} {tensor.shape}; needed is float32 with a free batch and {want.shape}",
                where=where,
                remedy=_EXPORT_AGAIN,
            )
