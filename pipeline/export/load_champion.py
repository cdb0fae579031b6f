"""From an exported file back to a network to go on training from."""

import hashlib
from pathlib import Path

import safetensors.torch

from pipeline.evolution.networks import Network, build_network
from pipeline.export.onnx_export import WEIGHTS_SUFFIX
from pipeline.serve.contract import read_contract
from schemas.errors import ModelError


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
