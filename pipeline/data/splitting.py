"""Which games validate: by game, never by position, and the same game always on the same side."""

from collections.abc import Sequence

from pipeline.data.stored_game import StoredGame

_SCALE = 2**64


def split_by_game(games: Sequence[StoredGame], validation_split: float) -> tuple[list[StoredGame], list[StoredGame]]:
    """Return (training, validation) games, about `validation_split` (0..1) of them in the second.

    The side follows from the game's id alone: games that a later phase reads again stay where they were, so that
    nothing once trained on ever validates.
    """
    held_back = [int(game.game_id[:16], 16) < validation_split * _SCALE for game in games]
    training = [game for game, held in zip(games, held_back, strict=True) if not held]
    return training, [game for game, held in zip(games, held_back, strict=True) if held]
