"""A network as a snake: what arena and league ask for moves."""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.engine.observe import Observations
from pipeline.evolution.batches import to_tensors
from pipeline.evolution.networks import Network

_ROWS: Final = 64


class TorchPolicy:
    """Moves by a network; implements `arena.player.Policy`.

    Rows are put through the network in batches of one fixed size, the last one filled up with zero rows, so that the
    same kernels compute a row however many others are asked for with it.
    """

    def __init__(self, network: Network, name: str, *, temperature: float = 0.0) -> None:
        """Use `network` as it stands (its later training shows); it is put into evaluation mode.

        Args:
            name: `model:<id>`, or any other name.
            temperature: 0 takes the likeliest legal move (ties: the first); otherwise moves are drawn from
                softmax(logits / temperature) over the legal ones, by the row's own chance number.
        """
        if temperature < 0:
            raise ValueError(f"temperature is {temperature}; it must be 0 (greedy) or more")
        self.name = name
        self._network: Final = network.eval()
        self._temperature: Final = temperature
        self._device: Final = next(network.parameters()).device

    @property
    def network(self) -> Network:
        """Whose moves these are."""
        return self._network

    @property
    def temperature(self) -> float:
        """See the constructor."""
        return self._temperature

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._device

    def choose(
        self, observations: Observations, masks: NDArray[np.bool_], draws: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return the move of each row, uint8[M]: 0..3 = up, down, left, right; see `arena.player.Policy`."""
        logits = self.logits(observations)
        legal = np.where(masks, logits, np.float32(-np.inf))
        if self._temperature == 0:
            return np.asarray(legal.argmax(1), np.uint8)
        return draw_moves(legal / np.float32(self._temperature), draws)

    def logits(self, observations: Observations) -> NDArray[np.float32]:
        """Return the policy logits of each row, float32[M, 4], illegal moves included."""
        rows = len(observations.planes)
        result = np.empty((rows, 4), np.float32)
        for first in range(0, rows, _ROWS):
            part = Observations(*(_filled(array[first : first + _ROWS]) for array in observations))
            with torch.inference_mode():
                logits, _ = self._network(*to_tensors(part, self._device))
            result[first : first + _ROWS] = logits.cpu().numpy()[: rows - first]
        return result


def _filled(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if len(rows) == _ROWS:
        return np.ascontiguousarray(rows)
    full = np.zeros((_ROWS, *rows.shape[1:]), np.uint8)
    full[: len(rows)] = rows
    return full


def draw_moves(legal: NDArray[np.floating[Any]], draws: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return moves uint8[M] drawn from softmax(`legal`), float32[M, 4] with -inf for illegal moves.

    `draws` float32[M] in [0, 1) decide: the first move at which the cumulative chance exceeds the row's number.
    """
    weights = np.exp((legal - legal.max(1, keepdims=True)).astype(np.float64))
    cumulative = weights.cumsum(1)
    # Counting strictly smaller sums never picks a move of weight 0: its sum equals that of the move before it.
    passed = cumulative <= draws[:, None].astype(np.float64) * cumulative[:, 3:]
    return np.asarray(passed.sum(1).clip(max=3), np.uint8)


def judge(
    network: Network, observations: Observations, masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the log chances of the moves, float32[M, 4] (-inf where illegal), and values, float32[M]."""
    if not len(masks):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits, value = network(*to_tensors(observations, device))
        masked = logits.masked_fill(~torch.from_numpy(masks).to(device), -torch.inf)
        log_policy = torch.log_softmax(masked, 1)
    return log_policy.cpu().numpy(), value[:, 0].cpu().numpy()
