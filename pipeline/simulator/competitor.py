"""Who plays, a built-in heuristic or a policy that is asked for all its snakes at once, and who sits where.

Seatings are rows of player indices, and each seed is played from every one of them.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.observe import Observations
from pipeline.engine.players.kinds import kind_of, name_of
from pipeline.engine.seats import CALLER

HEURISTIC: Final = "heuristic:"


class Policy(Protocol):
    """A network, or anything else that chooses moves from observations, seen as a snake."""

    name: str
    """`model:<id>`, or any other name."""

    def choose(
        self, observations: Observations, masks: NDArray[np.bool_], draws: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return the move of each of M rows, uint8[M]: 0..3 = up, down, left, right.

        Each row's move may depend on that row alone, so that a game does not depend on its batch.

        Args:
            observations: uint8 rows as the board lies: planes [M, 12, 11, 11], features [M, 32], context [M, 16].
                They are the simulator's memory and change with the next turn: copy what is to be kept.
            masks: [M, 4], the moves that neither wall nor staying body forbids; all True where there is none.
            draws: [M] in [0, 1), each row's own chance number, from game seed, turn and seat.
        """


@dataclass(frozen=True)
class Competitor:
    """One participant: a heuristic by its kind, or CALLER with the policy that moves it."""

    name: str
    kind: int
    policy: Policy | None = None

    def __post_init__(self) -> None:
        if (self.kind == CALLER) != (self.policy is not None):
            raise ValueError(f"player {self.name!r} of kind {self.kind}: CALLER, and only CALLER, has a policy")
        if self.kind != CALLER:
            name_of(self.kind)


def heuristic(name: str) -> Competitor:
    """Return the built-in player called `name` (`strong`, `voronoi`, ...), as `heuristic:<name>`.

    Raises:
        KeyError: no player kind has this name; the message names the known ones.
    """
    return Competitor(HEURISTIC + name, kind_of(name))


def from_policy(policy: Policy) -> Competitor:
    """Return the player that moves as `policy` says."""
    return Competitor(policy.name, CALLER, policy)


def seatings_of(players: int, seats: int) -> NDArray[np.uint8]:
    """Return every rotation of `players` round `seats`, uint8[rotations, seats].

    Row r seats player (s + r) % players at seat s: as many rows as players, each player once (fewer players than
    seats: equally often) at each seat. Two in four seats alternate.

    Raises:
        ValueError: players that cannot share the seats equally.
    """
    if players < 1 or seats % players:
        raise ValueError(f"{players} players cannot share {seats} seats equally")
    return ((np.arange(seats) + np.arange(players)[:, None]) % players).astype(np.uint8)


def alone_among(seats: int) -> NDArray[np.uint8]:
    """Return the seatings of player 0 alone among players 1, uint8[seats, seats]: row r has player 0 at seat r."""
    return (1 - np.eye(seats)).astype(np.uint8)


def every_seating(seatings: NDArray[np.uint8], seeds: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the games of each seed over all seatings, a seed's games side by side: one block per seed.

    Args:
        seatings: uint8[R, S]; seeds: int64[B].

    Returns:
        uint8[B * R, S] and int64[B * R], as `play_matches` takes them; reshape results to [B, R, S].
    """
    return np.tile(seatings, (len(seeds), 1)), np.repeat(seeds, len(seatings))
