"""The actor on a node: one table for each run that plays here. Imported by Ray's workers on the node."""

from collections.abc import Callable
from typing import Any

import ray

from pipeline.cluster.identity import own_identity
from pipeline.cluster.node_folder import ask_to_drain, mark_playing, node_folder, node_says
from pipeline.cluster.table import Table
from pipeline.cluster.words import Answer, Introduction, Opening, Parcel, Request
from schemas.cluster import NodeAnswer, NodeIdentity
from schemas.errors import OuroborosError


class Player:
    """See the module's text. Errors of ours come back as what they say: a node may know other classes than we."""

    def __init__(self) -> None:
        self._folder = node_folder()
        self._table = Table(self._folder, lambda: node_says(self._folder))

    def identity(self) -> NodeIdentity:
        """What this node is."""
        return own_identity()

    def missing(self, digests: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these snakes this node has not."""
        return self._table.missing(digests)

    def keep(self, parcel: Parcel) -> str:
        """Take a snake; what is wrong, else nothing."""
        return _told(lambda: self._table.keep(parcel))

    def open(self, opening: Opening) -> Introduction | str:
        """Build the snake and introduce oneself, or say what is wrong."""
        try:
            capacity, notice = self._table.open(opening)
        except OuroborosError as error:
            return str(error)
        return Introduction(own_identity(), node_says(self._folder), capacity, notice)

    def exchange(self, request: Request) -> Answer:
        """See `Table.exchange`."""
        answer = self._table.exchange(request)
        mark_playing(self._folder, self._table.busy)
        return answer

    def close(self) -> None:
        """End the snakes; the actor itself is killed by whoever made it."""
        self._table.close()


PLAYER: Any = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(Player)


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
