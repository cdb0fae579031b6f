"""How far a network is from what it should say: policy, value and the two auxiliary tasks."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.evolution.batches import Targets
from pipeline.evolution.networks import Heads
from schemas.base import Frozen

VALUE_WEIGHT: Final = 0.5
"""An outcome is mostly chance many turns before it: at full weight its noise drowns the policy in the shared trunk."""
SURVIVAL_WEIGHT: Final = 0.2
TERRITORY_WEIGHT: Final = 0.2
"""Auxiliary tasks shape the trunk early (after Wu 2019, "Accelerating self-play learning in Go", 4.1) and must not
lead: together less than the policy's share once it has learned."""

Loss = TypeVar("Loss", Tensor, float)


class Sums(NamedTuple):
    """Losses added up over rows by their weights, not yet divided; tensors [] on the network's device.

    policy: cross-entropy over the legal moves, in nats. value: squared error against the outcome. survival: binary
    cross-entropy, mean over the horizons (0 for one that the game did not tell). territory: binary cross-entropy, mean
    over the cells of the board. right: rows whose most likely legal move is the target's.
    """

    policy: Tensor
    value: Tensor
    survival: Tensor
    territory: Tensor
    right: Tensor


class Divisors(NamedTuple):
    """What the sums are divided by: the weights of all rows that make up one step, whichever process has them."""

    policy: float
    rows: float

    @classmethod
    def of(cls, policy_weights: NDArray[np.float32], weights: NDArray[np.float32]) -> Self:
        """The divisors of rows of these weights; rows that weigh nothing leave their sums, which are 0, as they are."""
        policy, rows = float(policy_weights.sum(dtype=np.float64)), float(weights.sum(dtype=np.float64))
        return cls(policy or 1.0, rows or 1.0)


def masked_logits(logits: Tensor, masks: Tensor) -> Tensor:
    """Logits [N, 4] with illegal moves at -infinity; masks bool[N, 4] need one legal move in each row."""
    return logits.masked_fill(~masks, float("-inf"))


def loss_sums(heads: Heads, targets: Targets) -> Sums:
    """Return each loss summed over the batch by the rows' weights, computed in float32."""
    weights = targets.weights
    policy, right = _policy(heads.policy_logits.float(), targets)
    value = (heads.value.float()[:, 0] - targets.outcome).square()
    turns = functional.binary_cross_entropy_with_logits(
        heads.survival_logits.float(), targets.survived, reduction="none"
    )
    survival = (turns * targets.told).mean(1)
    cells = functional.binary_cross_entropy_with_logits(
        heads.territory_logits.float(), targets.territory, reduction="none"
    )
    territory = (cells * targets.on_board).sum(1) / targets.on_board.sum(1).clamp(min=1)
    return Sums(policy, (value * weights).sum(), (survival * weights).sum(), (territory * weights).sum(), right)


def _policy(logits: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    weights = targets.policy_weights
    scores = functional.log_softmax(masked_logits(logits, targets.masks), dim=1)
    taken = scores.gather(1, targets.moves[:, None])[:, 0]
    # A row that does not count may name an illegal move: 0 * infinity would be no number, forwards and backwards.
    entropy = -torch.where(weights > 0, taken, torch.zeros_like(taken))
    right = ((scores.argmax(1) == targets.moves) * weights).sum()
    return (entropy * weights).sum(), right


def total(sums: Sums, divisors: Divisors) -> Tensor:
    """Return the weighted loss that is minimised."""
    return sums.policy / divisors.policy + _auxiliary(sums.value, sums.survival, sums.territory) / divisors.rows


def total_of(sums: Sequence[float], divisors: Divisors) -> float:
    """The same of plain numbers in the order of `Sums`; they need not be finite."""
    return sums[0] / divisors.policy + _auxiliary(sums[1], sums[2], sums[3]) / divisors.rows


def _auxiliary(value: Loss, survival: Loss, territory: Loss) -> Loss:
    return VALUE_WEIGHT * value + SURVIVAL_WEIGHT * survival + TERRITORY_WEIGHT * territory


class Losses(Frozen):
    """Mean losses over weighted rows, all finite, and `accuracy`: the share of rows whose move was found."""

    total: float
    policy: float
    value: float
    survival: float
    territory: float
    accuracy: float

    @classmethod
    def mean(cls, sums: Sequence[float], divisors: Divisors) -> Self:
        """The means of sums in the order of `Sums`."""
        policy, value, survival, territory, right = sums
        return cls(
            total=total_of(sums, divisors),
            policy=policy / divisors.policy,
            value=value / divisors.rows,
            survival=survival / divisors.rows,
            territory=territory / divisors.rows,
            accuracy=right / divisors.policy,
        )
