"""Who sits where: seatings are rows of player indices, and each seed is played from every one of them."""

import numpy as np
from numpy.typing import NDArray


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
