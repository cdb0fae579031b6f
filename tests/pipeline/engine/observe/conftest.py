"""Positions of every ruleset, reached by play."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pipeline.engine import layout
from pipeline.engine.game import Game
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.kinds import AGGRESSIVE
from pipeline.engine.players.mind import make_mind

CASES = (
    # width, height, snakes, ruleset, map, settings
    (11, 11, 2, "standard", "standard", {}),
    (11, 11, 4, "standard", "standard", {"minimumFood": 3, "foodSpawnChance": 40}),
    (7, 7, 2, "standard", "standard", {}),
    (9, 5, 3, "standard", "standard", {}),
    (11, 11, 4, "royale", "standard", {"shrinkEveryNTurns": 3, "damagePerTurn": 3}),
    (11, 11, 2, "standard", "royale", {"shrinkEveryNTurns": 5, "damagePerTurn": -7}),
    (11, 11, 3, "wrapped", "standard", {}),
    (8, 6, 4, "wrapped", "standard", {"foodSpawnChance": 60}),
    (11, 11, 4, "constrictor", "empty", {}),
    (7, 7, 2, "wrapped_constrictor", "empty", {}),
    (7, 11, 1, "solo", "standard", {}),
    (3, 3, 1, "solo", "standard", {}),
    (11, 11, 8, "standard", "standard", {}),
)
Position = tuple[Game, str, str, dict[str, int]]


def play(case: tuple[int, int, int, str, str, dict[str, int]], turns: int, seed: int) -> Iterator[Position]:
    """Yield a fresh copy of the game before each turn: an aggressive player moves everybody."""
    width, height, snakes, ruleset, map_id, settings = case
    game = Game.new(width, height, [f"s{i}" for i in range(snakes)], ruleset, map_id, settings, seed)
    mind, kinds = make_mind(), np.full(snakes, AGGRESSIVE, np.uint8)
    for _ in range(turns):
        if game.is_over():
            return
        yield game, ruleset, map_id, settings
        moves = np.zeros_like(kinds)
        choose_moves(mind, game.records.game(0), kinds, moves)
        game.step({name: layout.MOVE_WORDS[moves[i]] for i, name in enumerate(game.snake_ids)})


@pytest.fixture(scope="session")
def walk() -> Callable[..., Iterator[Position]]:
    """Return the generator of positions: (case, turns, seed)."""
    return play


@pytest.fixture(scope="session")
def cases() -> tuple[tuple[int, int, int, str, str, dict[str, int]], ...]:
    """Return all cases."""
    return CASES
