"""The parts of a network's trunk: convolutions on the board, residual blocks and attention over pooled tokens."""

import math

import torch
from torch import Tensor, nn


class ConvUnit(nn.Module):
    """A 3x3 convolution, batch norm if wanted, and ReLU unless told otherwise: [N, C, H, W] -> [N, D, H', W'].

    With `stride` 2 an 11x11 board becomes 6x6, its corners kept, so that the board's symmetries stay symmetries.
    """

    def __init__(self, channels: int, out: int, *, stride: int = 1, norm: bool, active: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=not norm)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()
        self.active = active
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """Convolve: float [N, C, H, W] -> [N, out, H', W'], halved and rounded up with `stride` 2."""
        planes = self.norm(self.conv(planes))
        return torch.relu(planes) if self.active else planes


class ConvBlock(nn.Module):
    """Two convolutions, with their input added before the last ReLU if `residual`: [N, C, H, W] -> the same.

    Without batch norm the second convolution begins small, so that a deep stack begins close to the identity
    (after Zhang et al. 2019, "Fixup initialization").
    """

    def __init__(self, channels: int, *, norm: bool, residual: bool) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels, norm=norm)
        self.second = ConvUnit(channels, channels, norm=norm, active=False)
        self.residual = residual
        if residual and not norm:
            with torch.no_grad():
                self.second.conv.weight.mul_(0.2)

    def forward(self, planes: Tensor) -> Tensor:
        """Convolve twice: float [N, C, H, W] -> the same."""
        after = self.second(self.first(planes))
        return torch.relu(planes + after if self.residual else after)


class PlainBlock(nn.Module):
    """One convolution, its input added if `residual`: [N, C, H, W] -> the same."""

    def __init__(self, channels: int, *, norm: bool, residual: bool) -> None:
        super().__init__()
        self.unit = ConvUnit(channels, channels, norm=norm)
        self.residual = residual

    def forward(self, planes: Tensor) -> Tensor:
        """Convolve once: float [N, C, H, W] -> the same."""
        after: Tensor = self.unit(planes)
        return planes + after if self.residual else after


class TokenAttention(nn.Module):
    """Every token looks at all others (Vaswani et al. 2017), added to what it was: [N, T, D] -> the same.

    The output projection begins at zero: an untrained attention changes nothing.
    """

    def __init__(self, tokens: int, width: int, heads: int, dropout: float, *, residual: bool) -> None:
        super().__init__()
        self.heads = heads
        self.residual = residual
        self.places = nn.Parameter(torch.randn(tokens, width) * 0.1)
        self.ask = nn.Linear(width, 3 * width)
        self.give = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        if residual:
            nn.init.zeros_(self.give.weight)
        nn.init.zeros_(self.give.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend: float [N, T, D] -> the same."""
        count, width = tokens.shape[1], tokens.shape[2]
        asked = self.ask(tokens + self.places).reshape(-1, count, 3, self.heads, width // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(width // self.heads), dim=-1)
        seen = (weights @ value).transpose(1, 2).reshape(-1, count, width)
        after: Tensor = self.dropout(self.give(seen))
        return tokens + after if self.residual else after


class CellAttention(nn.Module):
    """A few learned queries look at all cells once: [N, T, D] -> [N, queries * D], a cheap, learned pooling."""

    def __init__(self, width: int, queries: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, queries)

    def forward(self, cells: Tensor) -> Tensor:
        """Pool: float [N, T, D] -> [N, queries * D]."""
        weights = torch.softmax(self.score(cells), dim=1)
        return (weights.transpose(1, 2) @ cells).flatten(1)


def spread_matrix(frame: int) -> Tensor:
    """Return float32[frame * frame, T]: how far each cell of the frame belongs to each token of the halved board.

    Bilinear: token (i, j) stands at cell (2i, 2j), cells between share their neighbours.
    """
    side = (frame + 1) // 2
    line = torch.zeros(frame, side)
    for cell in range(frame):
        low, high = cell // 2, min((cell + 1) // 2, side - 1)
        line[cell, low] += 0.5
        line[cell, high] += 0.5
    return torch.einsum("ai,bj->abij", line, line).reshape(frame * frame, side * side).contiguous()
