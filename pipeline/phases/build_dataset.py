"""Positions for supervised training, made of stored games, as many as memory is meant for."""

from collections.abc import Sequence

from pipeline.data.positions import Positions, Seats, positions_of
from pipeline.data.stored_game import StoredGame


def build_dataset(
    games: Sequence[StoredGame], most: int, seed: int, *, seats: Seats = "learn", teacher: int | None = None
) -> Positions:
    """Return about `most` positions at the most, spread evenly over all games.

    Args:
        seats: whose positions.
        teacher: a player kind that says what should have been played; None: what was played.

    Raises:
        DataError: a game cannot be played again.
    """
    total = sum(_decisions(game, seats) for game in games)
    every = max(1, -(-total // most))
    return positions_of(games, teacher=teacher, seats=seats, every=every, seed=seed)


def _decisions(game: StoredGame, seats: Seats) -> int:
    lived = [game.turns if death == 0 else death for death in game.deaths]
    if seats == "all":
        return sum(lived)
    if seats == "learn":
        return sum(lived[seat] for seat in game.seats_to_learn)
    return game.turns if game.winner is not None else 0
