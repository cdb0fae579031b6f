"""Networks: shapes, every field of the configuration, and that both directions and places share what is learned."""

import pytest
import torch
from played_positions import played_positions
from torch import Tensor

from pipeline.engine.planes import CHANNELS, CONTEXT, FEATURES
from pipeline.evolution.batches import to_tensors
from pipeline.evolution.networks import SURVIVAL_HORIZONS, Network, build_network
from schemas.errors import ModelError
from schemas.network import ArchitectureType, NeuralNetworkConfig

ARCHITECTURES = list(ArchitectureType)


def _config(**changed: object) -> NeuralNetworkConfig:
    small = {"conv_channels": 8, "conv_blocks": 2, "attention_heads": 2, "hidden_layers": [12, 10], "ground_steps": 4}
    return NeuralNetworkConfig.model_validate(small | changed)


def _inputs(rows: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    board = torch.rand(rows, len(CHANNELS), 11, 11, generator=generator)
    board[:, 3:5] = (board[:, 3:5] - 0.8).clamp(min=0)  # few bodies, that leave within 8 turns
    board[:, 5:9] = 0
    board[torch.arange(rows), 5, 3, torch.arange(rows)] = 0.9
    board[torch.arange(rows), 7, 8, torch.arange(rows)] = 0.1
    features = torch.rand(rows, len(FEATURES), generator=generator)
    return board, features, torch.rand(rows, len(CONTEXT), generator=generator)


def _network(config: NeuralNetworkConfig) -> Network:
    torch.manual_seed(0)
    return build_network(config)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_heads_have_the_contract_s_shapes_and_every_weight_learns(
    architecture: ArchitectureType, batch_norm: bool
) -> None:
    network = _network(_config(architecture_type=architecture, batch_norm=batch_norm, dropout_rate=0))
    inputs = _inputs()
    heads = network.evaluate(*inputs)
    assert heads.policy_logits.shape == (5, 4)
    assert heads.value.shape == (5, 1)
    assert heads.survival_logits.shape == (5, len(SURVIVAL_HORIZONS))
    assert heads.territory_logits.shape == (5, 121)
    assert heads.value.abs().max() <= 1
    for _ in range(2):  # what begins at zero passes no gradient on before its first step
        network.zero_grad()
        heads = network.evaluate(*inputs)
        sum(part.square().sum() + part.sum() for part in heads).backward()  # type: ignore[union-attr]
        with torch.no_grad():
            for parameter in network.parameters():
                assert parameter.grad is not None
                parameter.sub_(0.01 * parameter.grad.clamp(-1, 1))
    lazy = [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0]  # type: ignore[union-attr]
    assert not lazy, lazy


@pytest.mark.parametrize(
    "changed",
    [
        {"architecture_type": ArchitectureType.CNN_SIMPLE},
        {"hidden_layers": [12]},
        {"conv_channels": 16},
        {"conv_blocks": 3},
        {"ground_steps": 0},
        {"ground_steps": 12},
        {"batch_norm": False},
        {"residual_connections": False},
    ],
)
def test_every_field_changes_what_is_computed(changed: dict[str, object]) -> None:
    plain, other = _network(_config(dropout_rate=0)), _network(_config(dropout_rate=0, **changed))
    inputs = _inputs()
    assert not torch.equal(plain.evaluate(*inputs).value, other.evaluate(*inputs).value)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_heads_of_attention_count(architecture: ArchitectureType) -> None:
    one, four = (
        _network(_config(architecture_type=architecture, attention_heads=heads, batch_norm=False)) for heads in (1, 4)
    )
    with torch.no_grad():
        for network in (one, four):
            network.eval()
            if architecture is ArchitectureType.CNN_ATTENTION_RESIDUAL:
                torch.nn.init.normal_(network.attention.give.weight)
                four.load_state_dict(one.state_dict())
    assert not torch.equal(one(*_inputs())[1], four(*_inputs())[1])


def test_dropout_acts_in_training_only() -> None:
    network = _network(_config(dropout_rate=0.5, batch_norm=False))
    inputs = _inputs()
    assert not torch.equal(network(*inputs)[1], network(*inputs)[1])
    network.eval()
    assert torch.equal(network(*inputs)[1], network(*inputs)[1])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_recomputing_activations_changes_no_gradient(architecture: ArchitectureType) -> None:
    gradients = []
    for recompute in (False, True):
        network = _network(_config(architecture_type=architecture, dropout_rate=0, batch_norm=False))
        network.recompute = recompute
        network(*_inputs())[0].square().sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters() if parameter.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_low_precision_is_close() -> None:
    network = _network(_config(batch_norm=False)).eval()
    exact = network(*_inputs())[1]
    network.low_precision = True
    low = network(*_inputs())[1]
    assert low.dtype == torch.float32
    assert not torch.equal(exact, low)
    assert (exact - low).abs().max() < 0.05


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("frame", [7, 12])
def test_other_frames(architecture: ArchitectureType, frame: int) -> None:
    network = build_network(_config(architecture_type=architecture), frame)
    heads = network.evaluate(torch.rand(2, len(CHANNELS), frame, frame), torch.rand(2, 32), torch.rand(2, 16))
    assert heads.territory_logits.shape == (2, frame * frame)


def test_what_is_read_moves_with_my_head() -> None:
    """Convolutions in the middle of the board see the same neighbourhood anywhere: so must the heads."""
    config = _config(architecture_type=ArchitectureType.CNN_SIMPLE, conv_blocks=1, ground_steps=0, batch_norm=False)
    network = _network(config).eval()
    board = torch.zeros(1, len(CHANNELS), 11, 11)
    board[0, 5, 5, 5], board[0, 1, 6, 5] = 0.8, 1.0
    moved = torch.roll(board, (1, -1), (2, 3))
    rest = (torch.rand(1, len(FEATURES)), torch.rand(1, len(CONTEXT)))
    places = [network._look(planes)[0] for planes in (board, moved)]
    assert torch.allclose(*places, atol=1e-6)
    assert not torch.equal(network(board, *rest)[0][:, 0], network(torch.zeros_like(board), *rest)[0][:, 0])


def test_another_encoder_s_planes_are_refused() -> None:
    with pytest.raises(ModelError, match="12"):
        build_network(NeuralNetworkConfig(input_channels=13))


def test_only_open_leaves_are_read_and_the_outcome_and_what_is_learned_are_the_same() -> None:
    positions = played_positions(96)
    inputs = to_tensors(positions)
    network = _network(_config(architecture_type=ArchitectureType.CNN_SIMPLE, dropout_rate=0.0)).eval()
    with torch.no_grad():
        network.policy.weight.mul_(100)
        network.leaves.weight.mul_(10)
    found = []
    for pack in (False, True):
        network.pack_leaves = pack
        heads = network.evaluate(*inputs)
        loss = heads.policy_logits.square().sum() + heads.value.sum()
        found.append((heads, torch.autograd.grad(loss, list(network.leaves.parameters()))))
    (plain, plain_grads), (packed, packed_grads) = found
    assert plain.policy_logits.abs().max() > 0.1
    assert torch.allclose(plain.policy_logits, packed.policy_logits, atol=1e-4)
    assert torch.allclose(plain.value, packed.value, atol=1e-5)
    for one, other in zip(plain_grads, packed_grads, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-3)
