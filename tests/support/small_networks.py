"""The smallest networks that still have every part."""

import torch

from pipeline.evolution.networks import Network, build_network
from schemas.network import ArchitectureType, NeuralNetworkConfig


def small_network(seed: int = 0, **fields: object) -> Network:
    """A light network of a few thousand weights, drawn by `seed`."""
    small: dict[str, object] = {
        "architecture_type": ArchitectureType.CNN_SIMPLE,
        "conv_channels": 4,
        "conv_blocks": 1,
        "hidden_layers": [16],
        "attention_heads": 1,
        "dropout_rate": 0.1,
        "ground_steps": 2,
    }
    torch.manual_seed(seed)
    return build_network(NeuralNetworkConfig.model_validate(small | fields))
