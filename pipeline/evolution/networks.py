"""The networks: a convolutional trunk, read where my head is, and heads for policy, value and two auxiliary tasks.

The frame is not egocentric, so a dense layer over the flattened board would have to learn every place anew. Instead
the trunk's features are picked up at my head and at the four cells next to it (a product with the plane `my_head`,
shifted), and one small dense network, shared by the four directions, judges each of them from: the features of its
cell, those of my head, the whole board pooled, the observation's own numbers for that direction, and the others.
What is learned of one direction and place so serves all. What convolutions learn slowest, whose ground it is after a
move, fixed layers tell them (`territory_features.py`). All operations are ordinary ones (convolution, matrix
product, ReLU, softmax, maximum, mean), which any ONNX runtime knows.
"""

import itertools
import math
from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pipeline.engine.planes import CHANNELS, CONTEXT, FEATURES, FRAME
from pipeline.evolution.blocks import (
    CellAttention,
    ConvBlock,
    ConvUnit,
    PlainBlock,
    TokenAttention,
    spread_matrix,
)
from pipeline.evolution.territory_features import territory_features
from pipeline.evolution.territory_tensors import NUMBERS, TerritoryFeatures
from schemas.errors import ModelError
from schemas.network import ArchitectureType, NeuralNetworkConfig

SURVIVAL_HORIZONS: Final = (2, 5, 10, 20, 40)
"""The auxiliary survival head says, for each, whether I still live so many turns later."""

_WAYS: Final = ("up", "down", "left", "right")
_NAMES: Final = [slot.name for slot in FEATURES]
_STEMS: Final = [name.removesuffix("_up") for name in _NAMES if name.endswith("_up")]
DIRECTED: Final = [[_NAMES.index(f"{stem}_{way}") for stem in _STEMS] for way in _WAYS]
"""Per direction the feature slots that speak of it."""
UNDIRECTED: Final = [index for index, name in enumerate(_NAMES) if not name.endswith(_WAYS)]
_VIEWS: Final = 16
_MY_HEAD: Final = CHANNELS.index("my_head")


class Heads(NamedTuple):
    """What a network says: policy_logits [N, 4] (illegal moves included), value [N, 1] in -1..1, and, for training
    only, survival_logits [N, len(SURVIVAL_HORIZONS)] and territory_logits [N, frame * frame] (above 0: mine)."""

    policy_logits: Tensor
    value: Tensor
    survival_logits: Tensor
    territory_logits: Tensor


class _Reading(NamedTuple):
    """What the trunk leaves: per direction [N, 4, A], shared [N, B], all cells [N, frame * frame, C] and tokens; and
    what the fixed layers tell."""

    directed: Tensor
    shared: Tensor
    cells: Tensor
    tokens: Tensor | None
    ground: TerritoryFeatures | None


class Network(nn.Module):
    """One network, made for a frame and an encoder; `build_network` checks what it is made of.

    `recompute`: forget the blocks' activations and compute them again backwards. `low_precision`: compute the trunk in
    bfloat16 (weights, heads and everything returned stay float32); for CPUs that have such instructions. `pack_leaves`:
    read only the pairs of moves and replies that are open, about two fifths of all; the same to rounding, but how a row
    is rounded then depends on the others of its batch.
    """

    def __init__(self, config: NeuralNetworkConfig, frame: int = FRAME) -> None:
        super().__init__()
        self.config = config
        self.frame = frame
        self.recompute = False
        self.low_precision = False
        self.pack_leaves = False
        self._build_trunk(config)
        self._build_heads(config)

    def _build_trunk(self, config: NeuralNetworkConfig) -> None:
        channels, norm, residual = config.conv_channels, config.batch_norm, config.residual_connections
        self.stem = ConvUnit(len(CHANNELS), channels, norm=norm)
        self.attends = config.architecture_type is ArchitectureType.CNN_ATTENTION_RESIDUAL
        self.coarse_width = 2 * channels if self.attends else 0
        if self.attends:
            fine = config.conv_blocks // 2
            side = (self.frame + 1) // 2
            self.blocks = nn.ModuleList(ConvBlock(channels, norm=norm, residual=residual) for _ in range(fine))
            self.halve = ConvUnit(channels, self.coarse_width, stride=2, norm=norm)
            self.coarse = nn.ModuleList(
                ConvBlock(self.coarse_width, norm=norm, residual=residual) for _ in range(config.conv_blocks - fine)
            )
            self.attention = TokenAttention(
                side * side, self.coarse_width, config.attention_heads, config.dropout_rate, residual=residual
            )
            self.register_buffer("spread", spread_matrix(self.frame), persistent=False)
            self.pooled_width = 2 * self.coarse_width
        else:
            self.blocks = nn.ModuleList(
                PlainBlock(channels, norm=norm, residual=residual) for _ in range(config.conv_blocks)
            )
            self.pooling = CellAttention(channels, config.attention_heads)
            self.pooled_width = (1 + config.attention_heads) * channels

    def _build_heads(self, config: NeuralNetworkConfig) -> None:
        widths, at_cell = config.hidden_layers, config.conv_channels + self.coarse_width
        shared = at_cell + self.pooled_width + len(UNDIRECTED) + len(CONTEXT)
        told = 0
        if config.ground_steps:
            self.leaves = nn.Linear(len(UNDIRECTED) + len(CONTEXT), (NUMBERS + 1) * _VIEWS)
            with torch.no_grad():
                self.leaves.weight.mul_(0.1)
                nn.init.normal_(self.leaves.bias, std=1 / math.sqrt(NUMBERS))
            told = 3 * _VIEWS
        self.from_shared = nn.Linear(shared, widths[0])
        self.from_way = nn.Linear(at_cell + len(_STEMS) + 4 + told, widths[0], bias=False)
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = nn.Dropout(config.dropout_rate)
        last = widths[-1]
        self.policy = nn.Linear(last, 1)
        self.summary = nn.Linear(2 * last + widths[0], last)
        self.value = nn.Linear(last, 1)
        self.survival = nn.Linear(last, len(SURVIVAL_HORIZONS))
        self.territory = nn.Linear(config.conv_channels, 1)
        self.coarse_territory = nn.Linear(self.coarse_width, 1, bias=False) if self.attends else None
        self.register_buffer("ways", torch.eye(4)[None], persistent=False)
        self.register_buffer("directed", torch.tensor(DIRECTED).flatten(), persistent=False)
        self.register_buffer("undirected", torch.tensor(UNDIRECTED), persistent=False)
        for layer, gain in ((self.policy, 0.01), (self.value, 0.1)):
            nn.init.normal_(layer.weight, std=gain / math.sqrt(last))
            nn.init.zeros_(layer.bias)

    @property
    def parameter_count(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def forward(self, board_state: Tensor, snake_features: Tensor, game_context: Tensor) -> tuple[Tensor, Tensor]:
        """Return policy_logits float32[N, 4], illegal moves not masked, and value float32[N, 1] in -1..1.

        Args:
            board_state: float32[N, 12, frame, frame], the scaled planes.
            snake_features: float32[N, 32], scaled.
            game_context: float32[N, 16], scaled.
        """
        reading = self._read(board_state, snake_features, game_context)
        logits, summary = self._judge(reading)
        return logits, torch.tanh(self.value(summary))

    def forward_with_ground(self, board_state: Tensor, snake_features: Tensor, game_context: Tensor) -> list[Tensor]:
        """Return what `forward` does and what the fixed layers tell (`TerritoryFeatures`), for programs that know these
        by heart: policy_logits float32[N, 4], value float32[N, 1], and its three float32 tensors of N rows. Takes the
        same three tensors as `forward`.

        Only a network with `ground_steps` has such layers; else the list ends with the value.
        """
        reading = self._read(board_state, snake_features, game_context)
        logits, summary = self._judge(reading)
        return [logits, torch.tanh(self.value(summary)), *(reading.ground or ())]

    def evaluate(self, board_state: Tensor, snake_features: Tensor, game_context: Tensor) -> Heads:
        """Return what `forward` does and the auxiliary heads; takes the same three tensors, `Heads` says the shapes."""
        reading = self._read(board_state, snake_features, game_context)
        logits, summary = self._judge(reading)
        territory = self.territory(reading.cells.float())[:, :, 0]
        if self.coarse_territory is not None and reading.tokens is not None:
            territory = territory + self.coarse_territory(reading.tokens.float())[:, :, 0] @ self._buffer("spread").t()
        return Heads(logits, torch.tanh(self.value(summary)), self.survival(summary), territory)

    def _buffer(self, name: str) -> Tensor:
        return cast("Tensor", getattr(self, name))

    def _read(self, board: Tensor, features: Tensor, context: Tensor) -> _Reading:
        if self.low_precision:
            with torch.autocast(board.device.type, torch.bfloat16):
                at_places, pooled, cells, tokens = self._look(board)
            at_places, pooled = at_places.float(), pooled.float()
        else:
            at_places, pooled, cells, tokens = self._look(board)
        ways = features[:, self._buffer("directed")].reshape(-1, 4, len(_STEMS))
        rest = torch.cat([features[:, self._buffer("undirected")], context], 1)
        directed = [at_places[:, 1:], ways, self._buffer("ways").expand(ways.shape[0], -1, -1)]
        ground = territory_features(board, self.config.ground_steps) if self.config.ground_steps else None
        if ground is not None:
            directed.append(self._ground(ground, rest))
        shared = torch.cat([at_places[:, 0], pooled, rest], 1)
        return _Reading(torch.cat(directed, 2), shared, cells, tokens, ground)

    def _look(self, board: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return features at my head and next to it [N, 5, A], the board's pooled features, cells and tokens."""
        cells, tokens = self._trunk(board)
        places = self._places(board)
        at_places = places.to(cells.dtype) @ cells
        if tokens is None:
            return at_places, torch.cat([cells.mean(1), self.pooling(cells)], 1), cells, None
        near = (places @ self._buffer("spread")).to(tokens.dtype) @ tokens
        return torch.cat([at_places, near], 2), torch.cat([tokens.mean(1), tokens.amax(1)], 1), cells, tokens

    def _ground(self, ground: TerritoryFeatures, rest: Tensor) -> Tensor:
        """Return what the fixed layers tell of each of my moves, [N, 4, 3 * _VIEWS].

        Learned values in -1..1 of what stands after two moves and replies: by the worst replies to my best second move
        (minimax), by the mean over the replies, and with the opponents everywhere. What counts how much depends on
        my health, lengths and the like, `rest`.
        """
        told, mine, replies = ground
        weights = self.leaves(rest).reshape(-1, NUMBERS + 1, _VIEWS)
        weights, bias = weights[:, :NUMBERS], weights[:, NUMBERS:]
        ours, there = mine.reshape(-1, 4, 4), replies[:, :16].reshape(-1, 4, 4)
        anywhere, leaves = told[:, :, 16], told[:, :, :16]
        if self.pack_leaves and not torch.compiler.is_exporting():
            ours, mine_at = _pack(ours)
            there, replies_at = _pack(there)
            rows, pairs, kept = leaves.shape[0], mine_at.shape[1], replies_at.shape[1]
            anywhere = _take(anywhere, mine_at)
            leaves = _take(leaves.reshape(rows, 16, -1), mine_at).reshape(rows, pairs, 16, NUMBERS).transpose(1, 2)
            leaves = _take(leaves.reshape(rows, 16, -1), replies_at).reshape(rows, kept, pairs, NUMBERS).transpose(1, 2)
        return self._read_leaves(
            anywhere, leaves, weights, bias, ours[..., None, None], there[:, None, None, ..., None]
        )

    def _read_leaves(
        self, anywhere: Tensor, leaves: Tensor, weights: Tensor, bias: Tensor, ours: Tensor, there: Tensor
    ) -> Tensor:
        """Read the leaves [N, 4 * seconds, 4 * reply seconds, NUMBERS] of open pairs `ours` [N, 4, seconds, 1, 1] and
        open replies `there` [N, 1, 1, 4, reply seconds, 1]."""
        seconds, reply_seconds = ours.shape[2], there.shape[4]
        spread = torch.tanh(anywhere @ weights + bias).reshape(-1, 4, seconds, 1, _VIEWS)
        spread = _best_second(spread, ours)[:, :, 0]
        # [N, first, second, reply, second reply, views]
        read = torch.tanh(leaves.flatten(1, 2) @ weights + bias)
        read = read.reshape(-1, 4, seconds, 4, reply_seconds, _VIEWS)
        some = there.amax(4)
        worst = _best_second((read * there + (1 - there)).amin(4), ours)
        worst = (worst * some[:, 0] + (1 - some[:, 0])).amin(2)
        mean = _best_second((read * there).sum(4) / there.sum(4).clamp(min=1), ours)
        mean = (mean * some[:, 0]).sum(2) / some[:, 0].sum(2).clamp(min=1)
        return torch.cat([worst, mean, spread], 2)

    def _trunk(self, board: Tensor) -> tuple[Tensor, Tensor | None]:
        planes = self._run(self.blocks, self.stem(board))
        if not self.attends:
            return _as_cells(planes), None
        tokens = _as_cells(self._run(self.coarse, self.halve(planes)))
        return _as_cells(planes), self.attention(tokens)

    def _run(self, blocks: nn.ModuleList, planes: Tensor) -> Tensor:
        for block in blocks:
            if self.recompute and torch.is_grad_enabled():
                planes = cast("Tensor", checkpoint(block, planes, use_reentrant=False))
            else:
                planes = block(planes)
        return planes

    def _places(self, board: Tensor) -> Tensor:
        """Return float32[N, 5, frame * frame]: 1 on my head; on the cells up, down, left and right of it."""
        head = (board[:, _MY_HEAD : _MY_HEAD + 1] > 0).to(board.dtype)
        wide, end = functional.pad(head, (1, 1, 1, 1)), self.frame + 1
        up, down = wide[:, :, : end - 1, 1:end], wide[:, :, 2:, 1:end]
        left, right = wide[:, :, 1:end, 2:], wide[:, :, 1:end, : end - 1]
        return torch.cat([head, up, down, left, right], 1).flatten(2)

    def _judge(self, reading: _Reading) -> tuple[Tensor, Tensor]:
        """Return the policy's logits and the summary from which value and survival are told."""
        shared = self.from_shared(reading.shared)
        ways = self.dropout(torch.relu(self.from_way(reading.directed) + shared[:, None]))
        for layer in self.dense:
            ways = self.dropout(torch.relu(layer(ways)))
        logits = self.policy(ways)[:, :, 0]
        summary = torch.cat([ways.mean(1), ways.amax(1), torch.relu(shared)], 1)
        return logits, torch.relu(self.summary(summary))


def _as_cells(planes: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, H * W, C]; free of cost where the channels lie last in memory already."""
    return planes.permute(0, 2, 3, 1).reshape(planes.shape[0], -1, planes.shape[1])


def _pack(open_pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Return float32[N, 4, seconds], the open ones of each first move in front, `seconds` being the most any row has
    open; and which pairs these are, int64[N, 4 * seconds]."""
    order = torch.argsort(open_pairs, dim=2, descending=True, stable=True)
    seconds = max(1, int(open_pairs.sum(2).amax()))
    order = order[:, :, :seconds]
    firsts = 4 * torch.arange(4, device=order.device)[None, :, None]
    return open_pairs.gather(2, order), (order + firsts).flatten(1)


def _take(rows: Tensor, at: Tensor) -> Tensor:
    """[N, R, C], [N, K] -> [N, K, C]: of each N its rows `at`."""
    return rows.gather(1, at[:, :, None].expand(-1, -1, rows.shape[2]))


def _best_second(values: Tensor, open_pairs: Tensor) -> Tensor:
    """[N, first, second, ...] -> [N, first, ...]: the most over the open second moves, -1 where none is."""
    return (values * open_pairs + open_pairs - 1).amax(2)


def build_network(config: NeuralNetworkConfig, frame: int = FRAME) -> Network:
    """Return a fresh network on the CPU, its weights drawn from torch's generator (seed that first).

    Raises:
        ModelError: `input_channels` is not what the encoder writes.
    """
    if config.input_channels != len(CHANNELS):
        raise ModelError(
            f"a network for {config.input_channels} planes cannot see the encoder's {len(CHANNELS)}",
            where="neural_network.input_channels",
            remedy=f"Set it to {len(CHANNELS)}.",
        )
    return Network(config, frame)
