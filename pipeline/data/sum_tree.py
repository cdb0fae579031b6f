"""A sum tree: weights in the leaves, each node the sum of its two children, so that drawing in proportion is a walk.

Schaul, Quan, Antonoglou, Silver: "Prioritized experience replay", ICLR 2016, B.2.1. Nodes are recomputed from their
children (never adjusted by differences), so that rounding errors cannot pile up, and a tree is a function of its
leaves alone. Node 1 is the root, node i has the children 2i and 2i + 1, leaf s is node `leaves + s`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled

Nodes = NDArray[np.float64]


@compiled
def put_leaves(nodes: Nodes, slots: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
    """Set the weights [M] of these leaves [M]; of a slot named twice the last weight counts."""
    leaves = nodes.shape[0] // 2
    for index in range(slots.shape[0]):
        node = leaves + slots[index]
        nodes[node] = weights[index]
        node //= 2
        while node > 0:
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1]
            node //= 2


@compiled
def rebuild(nodes: Nodes) -> None:
    """Recompute every inner node."""
    for node in range(nodes.shape[0] // 2 - 1, 0, -1):
        nodes[node] = nodes[2 * node] + nodes[2 * node + 1]


@compiled
def find_leaves(nodes: Nodes, points: NDArray[np.float64], slots: NDArray[np.int64]) -> None:
    """Write for each point in [0, total) the leaf into whose stretch it falls; only leaves of positive weight."""
    leaves = nodes.shape[0] // 2
    for index in range(points.shape[0]):
        point, node = points[index], 1
        while node < leaves:
            node *= 2
            # To the right only if it weighs anything: rounding must not lead into an empty half.
            if point >= nodes[node] and nodes[node + 1] > 0:
                point -= nodes[node]
                node += 1
        slots[index] = node - leaves


class SumTree:
    """Weights of `size` slots, 0 at first."""

    def __init__(self, size: int) -> None:
        """Allocate the next power of two of leaves."""
        self.size: Final = size
        self._leaves: Final = 1 << max(size - 1, 1).bit_length()
        self._nodes: Final[Nodes] = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self._nodes[1])

    @property
    def weights(self) -> NDArray[np.float64]:
        """Every slot's weight, float64[size]: a view, not to be written to."""
        return self._nodes[self._leaves : self._leaves + self.size]

    @property
    def nbytes(self) -> int:
        """Bytes of memory taken."""
        return self._nodes.nbytes

    def put(self, slots: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        """Set the weights [M] of these slots [M], at least 0 and finite.

        Raises:
            IndexError, ValueError: a slot or weight that cannot be.
        """
        if len(slots) and (slots.min() < 0 or slots.max() >= self.size):
            raise IndexError(f"slots {slots.min()}..{slots.max()}; there are 0..{self.size - 1}")
        if not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError("weights must be finite and at least 0")
        put_leaves(self._nodes, slots, weights)

    def fill(self, weights: NDArray[np.float64]) -> None:
        """Set the weights [M] of the first M slots, all others to 0."""
        self._nodes[:] = 0
        self._nodes[self._leaves : self._leaves + len(weights)] = weights
        rebuild(self._nodes)

    def find(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return for each point in [0, total) the slot into whose stretch it falls.

        Raises:
            ValueError: every weight is 0.
        """
        if not self.total > 0:
            raise ValueError("every weight is 0: there is nothing to draw from")
        slots = np.empty(len(points), np.int64)
        find_leaves(self._nodes, points, slots)
        return slots
