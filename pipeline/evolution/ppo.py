"""Proximal policy optimisation: how samples of the learner's own play change its weights.

The clipped objective of Schulman et al. 2017 ("Proximal Policy Optimization Algorithms"): many small steps may be taken
on each stretch of games, as none profits from moving a move's chance farther than the clip range, and the passes end
early when the policy moved too far. Chosen over search-improved targets because on a CPU one decision of a search costs
as much as some hundred samples. A teacher's cross-entropy may be added ("kickstarting", Schmitt et al. 2018): where the
learner's own positions are labelled by a stronger, slower player, the first hours of trial and error are saved.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.evolution.networks import Network
from pipeline.evolution.parallel import run_all
from pipeline.evolution.rollout import UNTAUGHT, Samples
from pipeline.evolution.tensors import to_floats
from schemas.errors import NothingLearnedError
from schemas.self_play import SelfPlaySettings


class Weights(NamedTuple):
    """What each part of the loss counts."""

    policy: float
    value: float
    entropy: float
    teacher: float
    clip_range: float

    @classmethod
    def of(cls, settings: SelfPlaySettings, teacher: float) -> Self:
        """The settings' weights, with the teacher's as it is by now."""
        return cls(1.0, settings.value_weight, settings.entropy_weight, teacher, settings.clip_range)


class Limits(NamedTuple):
    """How far an update may go: the mean divergence after which its passes end, and the gradient's largest norm."""

    target_kl: float
    gradient_clipping: float


class Losses(NamedTuple):
    """Means over the samples an update went through; `kl` is the policy's move from where it was played."""

    total: float
    policy: float
    value: float
    entropy: float
    teacher: float
    agreement: float
    kl: float
    clipped: float


def _losses(network: Network, samples: Samples, weights: Weights, teaching: float) -> tuple[Tensor, Tensor]:
    """Return the loss and its parts, float32[8], both summed over the samples.

    Args:
        teaching: by how much each taught sample's cross-entropy counts, so that few taught ones count as many.
    """
    device = next(network.parameters()).device
    logits, value = network(*to_floats(samples, device))
    masks = torch.from_numpy(samples.masks).to(device)
    log_policy = torch.log_softmax(logits.masked_fill(~masks, -1e9), 1)
    moves = torch.from_numpy(samples.moves).to(device).long()
    log_chance = log_policy.gather(1, moves[:, None])[:, 0]
    moved = log_chance - torch.from_numpy(samples.log_chances).to(device)
    ratio, advantages = moved.exp(), torch.from_numpy(samples.advantages).to(device)
    clipped = ratio.clamp(1 - weights.clip_range, 1 + weights.clip_range)
    policy = -torch.minimum(ratio * advantages, clipped * advantages).sum()
    value_loss = functional.mse_loss(value[:, 0], torch.from_numpy(samples.returns).to(device), reduction="sum")
    entropy = -(log_policy.exp() * log_policy).sum()
    taught = torch.from_numpy(samples.taught).to(device).long()
    # A teacher may take a move that is masked; nothing can be learned from it.
    known = (taught != UNTAUGHT) & masks.gather(1, taught.clamp(max=3)[:, None])[:, 0]
    lesson = -(log_policy.gather(1, taught.clamp(max=3)[:, None])[:, 0] * known).sum() * teaching
    total = policy + weights.value * value_loss - weights.entropy * entropy + weights.teacher * lesson
    with torch.no_grad():
        agreement = ((log_policy.argmax(1) == taught) & known).sum() * teaching
        kl = (ratio - 1 - moved).sum()
        far = ((ratio - 1).abs() > weights.clip_range).sum()
        parts = torch.stack([total, policy, value_loss, entropy, lesson, agreement, kl, far.float()]).detach().cpu()
    return total, parts


class Learner:
    """A network and its optimizer, fed with samples; gradients of a batch's parts are computed side by side."""

    def __init__(
        self, network: Network, optimizer: torch.optim.Optimizer, workers: ThreadPoolExecutor, parts: int
    ) -> None:
        """Train `network`, in evaluation mode throughout, so that chances are those it was played with.

        Args:
            workers: threads that set their own torch threads to one; `parts` of a batch are given to them.
        """
        self.network: Final = network.eval()
        self.optimizer: Final = optimizer
        self._workers: Final = workers
        self._parts: Final = parts
        self._parameters: Final = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def update(
        self,
        samples: Samples,
        batch_size: int,
        passes: int,
        weights: Weights,
        limits: Limits,
        generator: np.random.Generator,
        ensure_running: Callable[[], None] = lambda: None,
    ) -> Losses:
        """Go through the samples up to `passes` times in batches drawn by `generator`; return the mean losses.

        Args:
            ensure_running: called before every batch; what it raises ends the update in the middle.

        Raises:
            FloatingPointError: a loss or gradient was not finite; the weights are as before that batch.
            NothingLearnedError: the samples are too few for one batch.
            StoppedError: by `ensure_running`.
        """
        count = len(samples.moves)
        if count <= batch_size // 2:
            raise NothingLearnedError(
                f"an update of self-play has nothing to learn from: {count} positions were played, a batch of"
                f" {batch_size} takes more than {batch_size // 2}",
                where="self_play.environments, self_play.rollout_turns, batch_size",
                remedy="Play more at once, or lower the phase's batch_size.",
            )
        samples = samples._replace(advantages=_normalised(samples.advantages))
        taught = int((samples.taught != UNTAUGHT).sum())
        sums, seen = np.zeros(8), 0
        for _ in range(passes):
            order = generator.permutation(count)
            before, from_here = sums.copy(), seen
            for first in range(0, count - batch_size // 2, batch_size):
                ensure_running()
                rows = order[first : first + batch_size]
                sums += self._step(samples, rows, weights, count / max(taught, 1), limits.gradient_clipping)
                seen += len(rows)
            if (sums - before)[6] / max(seen - from_here, 1) > limits.target_kl:
                break
        return Losses(*(sums / max(seen, 1)).tolist())

    def _step(
        self, samples: Samples, rows: NDArray[np.int64], weights: Weights, teaching: float, clipping: float
    ) -> NDArray[np.float64]:
        shares = np.array_split(rows, self._parts)
        done = run_all(self._workers, lambda share: self._gradients(samples, share, weights, teaching), shares)
        for index, parameter in enumerate(self._parameters):
            summed = sum((gradients[index] for gradients, _ in done[1:]), done[0][0][index])
            parameter.grad = summed / len(rows)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, clipping)
        parts: Tensor = sum((part for _, part in done[1:]), done[0][1])
        if not (torch.isfinite(norm) and torch.isfinite(parts).all()):
            raise FloatingPointError(f"gradient norm {float(norm)}, losses {parts.tolist()}")
        self.optimizer.step()
        return parts.numpy().astype(np.float64)

    def _gradients(
        self, samples: Samples, rows: NDArray[np.int64], weights: Weights, teaching: float
    ) -> tuple[Sequence[Tensor], Tensor]:
        total, parts = _losses(self.network, samples.rows(rows), weights, teaching)
        gradients = torch.autograd.grad(total, self._parameters, allow_unused=True, materialize_grads=True)
        return gradients, parts


def _normalised(
    advantages: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.asarray((advantages - advantages.mean()) / (advantages.std() + 1e-6), np.float32)
