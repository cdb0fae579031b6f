"""The processes that train one network together: alone, or one of several that exchange gradients."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


class DistContext:
    """Process `rank` of `size`; alone by default. With more than one, torch's process group must stand.

    All processes make the same calls in the same order; the first decides whatever the clock or the user decides.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank: Final = rank
        self.size: Final = size

    @property
    def leads(self) -> bool:
        """Whether this process decides, reports and writes files."""
        return self.rank == 0

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module whose backward pass leaves the mean of all processes' gradients in each."""
        if self.size == 1:
            return module
        return DistributedDataParallel(module, device_ids=[device.index] if device.type == "cuda" else None)

    def holding_back(self, module: nn.Module, *, wanted: bool) -> AbstractContextManager[object]:
        """In this context, where `wanted`, gradients add up in each process and are not exchanged yet."""
        if wanted and isinstance(module, DistributedDataParallel):
            return module.no_sync()
        return nullcontext()

    def add(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """The sums over all processes, the same in each, in float64."""
        if self.size == 1:
            return list(numbers)
        together = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.all_reduce(together)
        return [float(number) for number in together.tolist()]

    def align(self, network: nn.Module) -> None:
        """Give all processes the first one's running averages: each has its own, of its own rows."""
        if self.size > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)

    def follow(self, word: str) -> str:
        """The first process's word, in all of them."""
        if self.size == 1:
            return word
        words = [word]
        distributed.broadcast_object_list(words, 0)
        return words[0]
