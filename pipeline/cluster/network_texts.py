"""A network as text, whole, so that it travels by value and is known by its content; and whether a machine adds up its
sums as this one does."""

import base64
import json
from typing import Any, Final

import numpy as np
import safetensors.numpy
import torch
from safetensors import SafetensorError

from pipeline.evolution.model_registry import arrays_of
from pipeline.evolution.networks import Network, build_network
from schemas.errors import MachineError, ModelError
from schemas.network import NeuralNetworkConfig

MOST_CHARACTERS: Final = 64 << 20
"""Of a network that travels: some 12 million weights. A larger one plays on this machine alone."""


def network_text(network: Network, **about: str | float | bool) -> str | None:
    """All of a network, and `about` it; the same text for the same weights. None: it cannot travel: it computes on a
    GPU, or is larger than `MOST_CHARACTERS`."""
    if next(network.parameters()).device.type != "cpu":
        return None
    weights = safetensors.numpy.save(arrays_of(network))
    if len(weights) > MOST_CHARACTERS // 4 * 3:
        return None
    whole = about | {
        "frame": network.frame,
        "network": network.config.model_dump(mode="json"),
        "weights": base64.b64encode(weights).decode(),
    }
    return json.dumps(whole, sort_keys=True)


def network_of_text(text: str) -> tuple[Network, dict[str, Any]]:
    """The inverse of `network_text`: the network, ready to play (`eval`), and all that was said of it.

    Raises:
        ModelError: it did not arrive whole, or is of another version.
    """
    try:
        about: dict[str, Any] = json.loads(text)
        network = build_network(NeuralNetworkConfig.model_validate(about["network"]), about["frame"])
        weights = safetensors.numpy.load(base64.b64decode(about["weights"]))
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    except (ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"a network did not arrive whole: {error}", where=text[:60]) from error
    return network.eval(), about


def computes() -> str:
    """The versions of what computes."""
    return f"torch {torch.__version__} and numpy {np.__version__}"


def refuse_other_sums(wanted: str) -> None:
    """Refuse to play what must be computed with the versions `wanted`.

    Raises:
        MachineError: other ones are installed here.
    """
    if wanted != computes():
        raise MachineError(f"it computes with {computes()}, not {wanted}, so a network's games need not be the same")
