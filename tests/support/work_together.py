"""Work for processes that train together; a module of its own, so that they can import it."""

import os
import signal
import time
from dataclasses import dataclass

import torch

from pipeline.evolution.dist_context import DistContext, ParentChannel
from schemas.errors import DataError


@dataclass(frozen=True)
class Sums:
    """Each process adds 1, 2, ... and says what the sum is; they go on until they are told to stop."""

    def __call__(self, world: DistContext, device: torch.device, channel: ParentChannel) -> object:
        total = world.add([float(world.rank + 1)], device)
        channel.send((world.rank, total, world.follow(f"from {world.rank}"), torch.get_num_threads()))
        while not world.add([float(channel.asked_to_stop())], device)[0]:
            time.sleep(0.01)
        return total


@dataclass(frozen=True)
class Dies:
    """The last process is killed while the others wait for it."""

    def __call__(self, world: DistContext, device: torch.device, channel: ParentChannel) -> object:
        if world.rank == world.size - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return world.add([1.0], device)


@dataclass(frozen=True)
class Refuses:
    """One process raises an error of ours."""

    def __call__(self, world: DistContext, device: torch.device, channel: ParentChannel) -> object:
        raise DataError("these rows are bad", where="row 7", remedy="Use others.")
