"""Which positions are learned from and which judge what was learned."""

from typing import Final

import numpy as np

from pipeline.data.positions import Positions
from schemas.errors import DataError

_STREAM: Final = 0x5B117


def split_by_game(positions: Positions, share: float, seed: int) -> tuple[Positions, Positions]:
    """Return (training, validation): `share` of the games, at least one, drawn by `seed`, are held back whole.

    Positions of one game resemble each other: were they on both sides, the validation would praise remembering.

    Raises:
        DataError: the positions come from fewer than two games.
    """
    games = np.unique(positions.game)
    if len(games) < 2:
        raise DataError(
            f"positions of {len(games)} game(s) cannot be divided into training and validation",
            remedy="Collect more games first.",
        )
    count = min(max(1, round(share * len(games))), len(games) - 1)
    held_back = np.random.default_rng((seed, _STREAM)).permutation(games)[:count]
    validates = np.isin(positions.game, held_back)
    return positions.rows(~validates), positions.rows(validates)
