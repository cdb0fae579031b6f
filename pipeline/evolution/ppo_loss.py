"""What an update of self-play minimises: the clipped objective, value, entropy, and the moves of teacher and expert.

The clipped objective of Schulman et al. 2017 ("Proximal Policy Optimization Algorithms"): many small steps may be taken
on each stretch of games, as none profits from moving a move's chance farther than the clip range. A teacher's
cross-entropy may be added ("kickstarting", Schmitt et al. 2018): where the learner's own positions are labelled by a
stronger, slower player, the first hours of trial and error are saved. An expert's, which searches, is added for ever
(expert iteration: Anthony, Tian, Barber 2017), from the positions at hand and from those kept (`expert_replay.py`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.data.buffer import ExperienceBatch
from pipeline.evolution.batches import to_tensors
from pipeline.evolution.networks import Network
from pipeline.evolution.rollout import UNTAUGHT, Samples
from schemas.self_play import SelfPlaySettings

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class LossWeights(NamedTuple):
    """What each part of the loss counts."""

    policy: float
    value: float
    entropy: float
    teacher: float
    expert: float
    clip_range: float

    @classmethod
    def of(cls, settings: SelfPlaySettings, teacher: float) -> Self:
        """The settings' weights, with the teacher's as it is by now."""
        known = (settings.value_weight, settings.entropy_weight, teacher, settings.expert_weight)
        return cls(1.0, *known, settings.clip_range)


class PpoStats(NamedTuple):
    """Means over the samples an update went through; `kl` is the policy's move from where it was played, `agreement`
    the share of labelled positions whose likeliest move is the label, `replayed` the cross-entropy of the expert's kept
    positions."""

    total: float
    policy: float
    value: float
    entropy: float
    teacher: float
    agreement: float
    kl: float
    clipped: float
    replayed: float


class Taught(NamedTuple):
    """By how much each row's label counts, so that few labelled ones count as many: all rows over those labelled by the
    teacher, by the expert, by either; 0 where there are none."""

    teacher: float
    expert: float
    either: float

    @classmethod
    def of(cls, samples: Samples) -> Self:
        """As these rows have labels."""
        rows, known = len(samples.taught), samples.taught != UNTAUGHT
        labels = (known & ~samples.expert, known & samples.expert, known)
        return cls(*(rows / count if (count := int(label.sum())) else 0.0 for label in labels))


def ppo_loss(network: Network, samples: Samples, weights: LossWeights, taught: Taught) -> tuple[Tensor, Tensor]:
    """Return the loss and its parts, float32[len(PpoStats)], both summed over the samples."""
    device = next(network.parameters()).device
    logits, value = network(*to_tensors(samples, device))
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
    imitation, agreement = _labels(log_policy, masks, samples, weights, taught)
    total = weights.policy * policy + weights.value * value_loss - weights.entropy * entropy + imitation
    with torch.no_grad():
        kl = (ratio - 1 - moved).sum()
        far = ((ratio - 1).abs() > weights.clip_range).sum()
        none = torch.zeros_like(kl)
        parts = torch.stack([total, policy, value_loss, entropy, imitation, agreement, kl, far.float(), none])
    return total, parts.detach().cpu()


def _labels(
    log_policy: Tensor, masks: Tensor, samples: Samples, weights: LossWeights, taught: Taught
) -> tuple[Tensor, Tensor]:
    """Return the weighted cross-entropy of the labels, and how many of them are the likeliest moves, by their share."""
    labels = torch.from_numpy(samples.taught).to(masks.device).long()
    expert = torch.from_numpy(samples.expert).to(masks.device)
    there = labels.clamp(max=3)[:, None]
    # A label may be a move that is masked; nothing can be learned from it.
    known = (labels != UNTAUGHT) & masks.gather(1, there)[:, 0]
    counts = torch.where(expert, weights.expert * taught.expert, weights.teacher * taught.teacher)
    imitation = -(log_policy.gather(1, there)[:, 0] * known * counts).sum()
    agreement = ((log_policy.argmax(1) == labels) & known).sum() * taught.either
    return imitation, agreement


def replay_loss(network: Network, drawn: ExperienceBatch) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of kept positions' moves, summed by their weights, and that of each row, float32[M]."""
    device = next(network.parameters()).device
    positions = drawn.positions
    logits, _ = network(*to_tensors(positions, device))
    masks = torch.from_numpy(positions.masks).to(device)
    moves = torch.from_numpy(positions.moves).to(device).long()
    log_policy = torch.log_softmax(logits.masked_fill(~masks, -1e9), 1)
    each = -log_policy.gather(1, moves[:, None])[:, 0]
    return (each * torch.from_numpy(drawn.weights).to(device)).sum(), each.detach().cpu()


def run_all(workers: ThreadPoolExecutor, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """What `work` returns for each item, computed side by side.

    Raises whatever the first item that failed raised, but only once every other one has ended too: `Executor.map` hands
    an error on while the rest still works, and a caller that then goes back to a state kept before would have it
    changed under its hands.
    """
    begun = [workers.submit(work, item) for item in items]
    wait(begun)
    return [each.result() for each in begun]


class BatchPart(NamedTuple):
    """One thread's part of a batch: rows of the samples, and of the positions drawn for it."""

    rows: NDArray[np.int64]
    drawn: ExperienceBatch | None
    replica: Network


def batch_gradients(
    step: BatchPart, samples: Samples, weights: LossWeights, taught: Taught, rows: int, kept: int
) -> tuple[Sequence[Tensor], Tensor, NDArray[np.float32]]:
    """A part's share of a batch of `rows` samples and `kept` replayed positions.

    Returns:
        Gradients, one for each parameter that is trained; the part's share of the batch's means, float[PpoStats]; the
        cross-entropy of each replayed row, in nats, float32[M].
    """
    parameters = [weight for weight in step.replica.parameters() if weight.requires_grad]
    total, parts = ppo_loss(step.replica, samples.rows(step.rows), weights, taught)
    total, parts, errors = total / rows, parts / rows, np.zeros(0, np.float32)
    if step.drawn is not None and len(step.drawn.weights):
        replayed, each = replay_loss(step.replica, step.drawn)
        total = total + weights.expert * replayed / kept
        parts[PpoStats._fields.index("replayed")] = float(each.sum()) / kept
        errors = each.numpy()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)
    return gradients, parts, errors


def split_drawn(drawn: ExperienceBatch | None, parts: int) -> list[ExperienceBatch | None]:
    """Share out the positions drawn for a batch, as evenly as they go; None: there are none."""
    if drawn is None:
        return [None] * parts
    shares = np.array_split(np.arange(len(drawn.weights)), parts)
    return [
        ExperienceBatch(drawn.positions.rows(s), drawn.indices[s], drawn.weights[s], drawn.quality[s]) for s in shares
    ]
