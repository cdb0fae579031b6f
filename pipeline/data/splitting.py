"""Which games validate: by game, never by position, and the same game always on the same side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.data.positions import Positions
from schemas.errors import DataError

_SCALE = 2**64


def held_back(game_ids: Sequence[str], validation_split: float) -> NDArray[np.bool_]:
    """Return which games validate, bool[G]: about `validation_split` (0..1) of them.

    The side follows from the game's id alone, whatever other games there are, and a larger share holds back all that a
    smaller one does: games that a later round or phase reads again stay where they were, so that nothing once trained
    on ever validates. Only where all would be on one side does one go to the other: of so few games that this
    happens, the one whose id is nearest.
    """
    places = np.array([int(game_id[:16], 16) for game_id in game_ids], np.uint64)
    held = places < np.uint64(min(int(validation_split * _SCALE), _SCALE - 1))
    if len(places) > 1 and held.all():
        held[places.argmax()] = False
    elif len(places) > 1 and not held.any():
        held[places.argmin()] = True
    return held


def split_by_game(
    positions: Positions, game_ids: Sequence[str], validation_split: float
) -> tuple[Positions, Positions]:
    """Return (training, validation), each game's positions on the side of its id.

    Positions of one game resemble each other: were they on both sides, the validation would praise remembering.

    Args:
        game_ids: of the games that `positions.game` counts.

    Raises:
        DataError: the positions come from fewer than two games.
    """
    present = np.unique(positions.game)
    if len(present) < 2:
        raise DataError(
            f"positions of {len(present)} game(s) cannot be divided into training and validation",
            remedy="Collect more games first.",
        )
    held = np.zeros(len(game_ids), np.bool_)
    held[present] = held_back([game_ids[game] for game in present], validation_split)
    validates = held[positions.game]
    return positions.rows(~validates), positions.rows(validates)
