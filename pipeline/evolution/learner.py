"""One step of supervised learning, and one look at the validation: a network, its optimizer and the rows they read."""

import math
import time
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.evolution.batches import Reader
from pipeline.evolution.device import precision
from pipeline.evolution.dist_context import DistContext
from pipeline.evolution.losses import Divisors, Losses, Sums, loss_sums, total
from pipeline.evolution.networks import Heads, Network
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

VALIDATION_ROWS: Final = 512
_MIXERS: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


class Plan(NamedTuple):
    """The rows of one step (all processes', all accumulated batches'), and the symmetry each is seen through."""

    rows: NDArray[np.int64]
    symmetries: NDArray[np.uint8]


class Step(NamedTuple):
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


class Learner:
    """Trains `network` on the rows of `training`; the same on any number of processes, rounding aside.

    Chance within a step (dropout) follows from `seed`, the step's number and the process alone: there is no state of
    it that a resumed run would have to be given back.
    """

    def __init__(
        self,
        network: Network,
        training: Reader,
        validation: Reader,
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

    def step(self, plan: Plan, number: int, rate: float) -> Step:
        """Make one step of the optimizer at this rate; `number` is the step's own."""
        self._seed_chance(number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        reader = self._training
        divisors = Divisors.of(reader.policy_weights[plan.rows], reader.weights[plan.rows])
        sums = self._add_gradients(plan, divisors)
        norm = nn.utils.clip_grad_norm_(self._parameters, self._optimization.gradient_clipping)
        taken = all(map(math.isfinite, (*sums, float(norm))))
        if taken:
            self.optimizer.step()
        return Step(sums, divisors, taken)

    def _add_gradients(self, plan: Plan, divisors: Divisors) -> list[float]:
        world, size = self._world, self._phase.batch_size
        added = torch.zeros(len(Sums._fields), dtype=torch.float64)
        for first in range(0, len(plan.rows), size):
            mine = slice(first + world.rank, min(first + size, len(plan.rows)), world.size)
            begun = time.perf_counter()
            batch = self._training.read(plan.rows[mine], plan.symmetries[mine])
            self.outside_s += time.perf_counter() - begun
            more = first + size < len(plan.rows)
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
