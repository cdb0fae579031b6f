"""What network is built."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from schemas.base import Adjustable


class ArchitectureType(StrEnum):
    """The architectures that can be built."""

    CNN_ATTENTION_RESIDUAL = "CNN_Attention_Residual"
    """Residual convolutions, then attention over pooled tokens."""
    CNN_SIMPLE = "CNN_Simple"
    """Plain convolutions: the light one, for CPUs."""


class NeuralNetworkConfig(Adjustable):
    """One network; what the planes, features and context mean is fixed by the encoder."""

    architecture_type: ArchitectureType = ArchitectureType.CNN_ATTENTION_RESIDUAL
    """The kind of network."""
    input_channels: int = Field(default=12, ge=1)
    """Planes of the observation; any other number than the encoder's is refused when the network is built."""
    hidden_layers: list[int] = Field(default_factory=lambda: [512, 256, 128], min_length=1, max_length=8)
    """Widths of the dense layers between the convolutions and the heads, in order; all four directions share them."""
    conv_channels: int = Field(default=64, ge=4, le=1024)
    """Channels of every convolution."""
    conv_blocks: int = Field(default=4, ge=1, le=64)
    """Residual blocks (two convolutions each; the second half of them on the halved board with twice the channels), or
    plain convolutions of CNN_Simple."""
    attention_heads: int = Field(default=8, ge=1, le=64)
    """Heads of the attention over pooled tokens; CNN_Simple attends once over its board cells with as many queries."""
    ground_steps: int = Field(default=14, ge=0, le=64)
    """Turns that fixed layers flood the board after each pair of moves and replies, telling the heads whose ground it
    is; 0: no such layers, else at least 2."""
    residual_connections: bool = True
    """Whether a block adds its input to its output."""
    dropout_rate: float = Field(default=0.1, ge=0, lt=1)
    """The share of activations left out while training."""
    batch_norm: bool = True
    """Whether convolutions are normalised over a batch."""
    use_multi_gpu: bool = False
    """Train on all GPUs of this machine: supervised by one process each (DistributedDataParallel), in self-play by a
    replica of the network on each, in one process."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(not 1 <= width <= 8192 for width in self.hidden_layers):
            raise ValueError("hidden_layers: widths must be 1 to 8192")
        if self.ground_steps == 1:
            raise ValueError("ground_steps: must be 0, or at least 2")
        attends = self.architecture_type is ArchitectureType.CNN_ATTENTION_RESIDUAL
        if attends and self.conv_channels % self.attention_heads:
            raise ValueError("conv_channels: must be a multiple of attention_heads")
        return self


def light_network() -> NeuralNetworkConfig:
    """The network for CPUs: small enough to learn from millions of positions an hour, and quick to serve."""
    return NeuralNetworkConfig(
        architecture_type=ArchitectureType.CNN_SIMPLE,
        hidden_layers=[128, 64],
        conv_channels=16,
        conv_blocks=2,
        attention_heads=2,
        dropout_rate=0.0,
        batch_norm=False,
    )
