"""The actor on a node: one backend for each run that plays here. Imported by Ray's workers on the node."""

from collections.abc import Callable
from typing import Any

import ray

from pipeline.cluster.messages import Introduction, Opening, Request, RequestAnswer, SnakePackage
from pipeline.cluster.node import ask_to_drain, mark_playing, node_folder, node_says, own_identity
from pipeline.cluster.node_backend import NodeBackend
from schemas.cluster import NodeAnswer, NodeIdentity
from schemas.errors import OuroborosError


class NodeActor:
    """See the module's text. Errors of ours come back as what they say: a node may know other classes than we."""

    def __init__(self) -> None:
        self._folder = node_folder()
        self._backend = NodeBackend(self._folder, lambda: node_says(self._folder))

    def identity(self) -> NodeIdentity:
        """What this node is."""
        return own_identity()

    def missing(self, digests: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these snakes this node has not."""
        return self._backend.missing(digests)

    def keep(self, package: SnakePackage) -> str:
        """Take a snake; what is wrong, else nothing."""
        return _told(lambda: self._backend.keep(package))

    def open(self, opening: Opening) -> Introduction | str:
        """Make ready and introduce oneself, or say what is wrong."""
        try:
            capacity, notice = self._backend.open(opening)
        except OuroborosError as error:
            return str(error)
        return Introduction(own_identity(), node_says(self._folder), capacity, notice)

    def exchange(self, request: Request) -> RequestAnswer:
        """See `NodeBackend.exchange`."""
        answer = self._backend.exchange(request)
        mark_playing(self._folder, self._backend.busy)
        return answer

    def close(self) -> None:
        """End the snakes; the actor itself is killed by whoever made it."""
        self._backend.close()


PLAYER: Any = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(NodeActor)


def look() -> tuple[NodeIdentity, NodeAnswer]:
    """What this node is and says."""
    return own_identity(), node_says(node_folder())


def drain() -> None:
    """Ask this node to leave."""
    ask_to_drain(node_folder())


LOOK: Any = ray.remote(num_cpus=0, max_retries=0)(look)
DRAIN: Any = ray.remote(num_cpus=0, max_retries=0)(drain)


def _told(call: Callable[[], None]) -> str:
    try:
        call()
    except OuroborosError as error:
        return str(error)
    return ""
