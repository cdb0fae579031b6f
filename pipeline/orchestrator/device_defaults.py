"""What suits the hardware, where the user said nothing."""

from schemas.network import NeuralNetworkConfig, light_network
from schemas.settings import Settings


def suited(settings: Settings, device: str) -> Settings:
    """The settings with the light network on a CPU, if the network was left as it comes; else the same object."""
    if device != "cpu" or settings.neural_network != NeuralNetworkConfig():
        return settings
    return settings.model_copy(update={"neural_network": light_network()})
