"""One step of supervised learning: losses of policy, value and two auxiliary tasks, the optimizer, the validation."""

import math
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipeline.evolution.batches import BatchReader, Targets
from pipeline.evolution.device import precision
from pipeline.evolution.dist_context import DistContext
from pipeline.evolution.networks import Heads, Network
from schemas.base import Frozen
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

VALIDATION_ROWS: Final = 512
_MIXERS: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
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
        """The divisors of rows of these weights, float32[N] each; where none weighs, 1: the sums are 0 then."""
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
    """Return the weighted loss that is minimised, a tensor [] in nats (squared error for the value)."""
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


class StepRows(NamedTuple):
    """The rows of one step (all processes', all accumulated batches'), and the symmetry each is seen through."""

    rows: NDArray[np.int64]
    symmetries: NDArray[np.uint8]


class StepResult(NamedTuple):
    """What one step came to: losses added up over all processes (in the order of `Sums`), what they are to be divided
    by, and whether the weights were changed (they are not when the loss or a gradient is no number)."""

    sums: list[float]
    divisors: Divisors
    taken: bool


class _Evaluation(nn.Module):
    """`network.evaluate` as a forward pass, which is what the exchange of gradients hooks into."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, board: Tensor, features: Tensor, context: Tensor) -> Heads:
        return self.network.evaluate(board, features, context)


def make_optimizer(network: nn.Module, rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019). Weights decay, not biases and norms: those have no size that could grow."""
    decaying = [weight for weight in network.parameters() if weight.ndim > 1]
    free = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, fused=True)


class SupervisedLearner:
    """Trains `network` on the rows of `training`; the same on any number of processes, rounding aside.

    Chance within a step (dropout) follows from `seed`, the step's number and the process alone: there is no state of
    it that a resumed run would have to be given back.
    """

    def __init__(
        self,
        network: Network,
        training: BatchReader,
        validation: BatchReader,
        phase: TrainingPhaseConfig,
        optimization: TrainingOptimizationConfig,
        *,
        seed: int,
        device: torch.device,
        world: DistContext,
    ) -> None:
        self.network: Final = network
        self.optimizer: Final = make_optimizer(network, phase.learning_rate, optimization.weight_decay)
        self.outside_s = 0.0
        """Seconds spent making batches."""
        self._training, self._validation = training, validation
        self._phase, self._optimization = phase, optimization
        self._seed, self._device, self._world = seed, device, world
        self._parameters: Final = list(network.parameters())
        self._model: Final = world.wrap(_Evaluation(network), device)

    def step(self, taken_rows: StepRows, number: int, rate: float) -> StepResult:
        """Make one step of the optimizer at this rate; `number` is the step's own."""
        self._seed_chance(number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        reader = self._training
        divisors = Divisors.of(reader.policy_weights[taken_rows.rows], reader.weights[taken_rows.rows])
        sums = self._add_gradients(taken_rows, divisors)
        norm = nn.utils.clip_grad_norm_(self._parameters, self._optimization.gradient_clipping)
        taken = all(map(math.isfinite, (*sums, float(norm))))
        if taken:
            self.optimizer.step()
        return StepResult(sums, divisors, taken)

    def _add_gradients(self, taken_rows: StepRows, divisors: Divisors) -> list[float]:
        world, size = self._world, self._phase.batch_size
        added = torch.zeros(len(Sums._fields), dtype=torch.float64)
        for first in range(0, len(taken_rows.rows), size):
            mine = slice(first + world.rank, min(first + size, len(taken_rows.rows)), world.size)
            begun = time.perf_counter()
            batch = self._training.read(taken_rows.rows[mine], taken_rows.symmetries[mine])
            self.outside_s += time.perf_counter() - begun
            more = first + size < len(taken_rows.rows)
            with world.holding_back(self._model, wanted=more):
                with precision(self._device, mixed=self._optimization.use_mixed_precision):
                    heads = cast("Heads", self._model(*batch.inputs))
                sums = loss_sums(heads, batch.targets)
                # Processes' gradients are averaged: times their number the average is the sum.
                (total(sums, divisors) * world.size).backward()  # type: ignore[no-untyped-call]
            added += torch.stack(list(sums)).detach().double().cpu()
        return world.add(added.tolist(), self._device)

    def validate(self, first: int, sums: list[float]) -> list[float]:
        """Add the losses of up to VALIDATION_ROWS held-back rows per process, from row `first` on, to `sums`."""
        world, reader = self._world, self._validation
        rows = np.arange(first, min(first + self.validation_stride, len(reader)))[world.rank :: world.size]
        mine = [0.0] * len(Sums._fields)
        if len(rows):
            with torch.no_grad(), precision(self._device, mixed=self._optimization.use_mixed_precision):
                batch = reader.read(rows)
                mine = torch.stack(list(loss_sums(self.network.evaluate(*batch.inputs), batch.targets))).tolist()
        return [a + b for a, b in zip(sums, world.add(mine, self._device), strict=True)]

    @property
    def validation_stride(self) -> int:
        """Rows that one call of `validate` covers."""
        return VALIDATION_ROWS * self._world.size

    def validation_losses(self, sums: list[float]) -> Losses:
        """The means of what `validate` added up over all held-back rows."""
        return Losses.mean(sums, Divisors.of(self._validation.policy_weights, self._validation.weights))

    def _seed_chance(self, number: int) -> None:
        mixed = sum(a * b for a, b in zip(_MIXERS, (self._seed + 1, number + 1, self._world.rank + 1), strict=True))
        seed = mixed % (1 << 63)
        # Not torch.manual_seed: without a GPU that keeps a list of what to tell one, and the stack of each call.
        torch.default_generator.manual_seed(seed)
        if self._device.type == "cuda":
            torch.cuda.manual_seed(seed)
