"""Who sits opposite: the learner itself, its past selves and the built-in players, drawn anew for every game."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.engine.players.kinds import kind_of
from schemas.self_play import OpponentShare

LEARNER: Final = 255
PAST_SELF: Final = 254
"""Marks in a cast; every other number is a player kind."""

Weights = dict[str, Tensor]


class Shares(NamedTuple):
    """How often a game's opponents are built-in players, and past selves; the rest plays against itself."""

    heuristics: float
    past_selves: float


class League:
    """Snapshots of the learner and the built-in opponents; all chance comes from generators that the caller hands in.

    Snapshots are spread over the whole run: when there is no room, the one is dropped whose neighbours in time are
    closest, so that the league remembers its youth, too (the newest always stays).
    """

    def __init__(self, heuristics: Sequence[OpponentShare], room: int) -> None:
        """Know the opponents by name and weight, and keep up to `room` snapshots.

        Raises:
            KeyError: a name that no built-in player has.
        """
        weights = np.array([share.weight for share in heuristics], np.float64)
        self._kinds: Final = np.array([kind_of(share.kind) for share in heuristics], np.uint8)
        self._weights: Final = weights / weights.sum() if len(weights) else weights
        self._room: Final = room
        self._snapshots: dict[int, Weights] = {}

    @property
    def snapshots(self) -> list[int]:
        """The updates after which the kept snapshots were taken, oldest first."""
        return sorted(self._snapshots)

    def remember(self, update: int, weights: Mapping[str, Tensor]) -> None:
        """Keep a copy of the learner's `weights` as it is after this many updates."""
        if self._room == 0:
            return
        self._snapshots[update] = {name: tensor.detach().clone() for name, tensor in weights.items()}
        if len(self._snapshots) > self._room:
            kept = self.snapshots
            # Never the newest; the first one may go, its gap counts from update 0.
            gaps = [after - before for before, after in zip([0, *kept], kept[1:], strict=False)]
            del self._snapshots[kept[int(np.argmin(gaps))] if gaps else kept[0]]

    def draw_snapshot(self, generator: np.random.Generator) -> Weights | None:
        """Return the weights of one past self, each as likely; None while there is none."""
        kept = self.snapshots
        return self._snapshots[kept[int(generator.integers(len(kept)))]] if kept else None

    def cast(self, games: int, seats: int, shares: Shares, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return who plays, uint8[games, seats]: LEARNER, PAST_SELF or a player kind.

        The learner has at least one seat of each game, at any place. In a game with built-in opponents each other
        seat draws its own; in a game with past selves all others are past selves.
        """
        cast = np.full((games, seats), LEARNER, np.uint8)
        lot = generator.random(games)
        others = generator.integers(1, seats, (games, 1)) if seats > 1 else np.zeros((games, 1), np.int64)
        kinds = generator.choice(self._kinds, (games, seats), p=self._weights) if len(self._kinds) else cast
        places = generator.permuted(np.tile(np.arange(seats), (games, 1)), axis=1)
        heuristic = (lot < shares.heuristics)[:, None] & (places > 0)
        past = (lot >= shares.heuristics) & (lot < shares.heuristics + shares.past_selves)
        if len(self._kinds):
            # Half of the crowded games have heuristics in all other seats, the rest also more of the learner.
            full = generator.random((games, 1)) < 0.5
            heuristic &= full | (places <= others)
            cast[heuristic] = kinds[heuristic]
        if self._snapshots:
            cast[past[:, None] & (places > 0)] = PAST_SELF
        return cast

    def to_arrays(self) -> dict[str, Tensor]:
        """All snapshots as named tensors, "<update>/<name>"; for checkpoints."""
        return {
            f"{update}/{name}": tensor
            for update, weights in self._snapshots.items()
            for name, tensor in weights.items()
        }

    def from_arrays(self, arrays: Mapping[str, Tensor]) -> None:
        """Take back what `to_arrays` gave."""
        self._snapshots = {}
        for key, tensor in arrays.items():
            update, name = key.split("/", 1)
            self._snapshots.setdefault(int(update), {})[name] = torch.clone(tensor)
