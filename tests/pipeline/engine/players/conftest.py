"""Asking a player for its move in a position given as plain data."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.engine import layout
from pipeline.engine.game import Game
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.kinds import kind_of
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER


def position(*snakes: tuple[list[list[int]], int], food: Any = (), hazards: Any = (), size: int = 11) -> dict[str, Any]:
    """Return a state: each snake is (body, health), named a, b, ..; the board is square."""
    named = [{"id": "abcd"[i], "health": health, "body": body} for i, (body, health) in enumerate(snakes)]
    return {"turn": 30, "width": size, "height": size, "food": [list(c) for c in food],
            "hazards": [list(c) for c in hazards], "snakes": named}  # fmt: skip


def choose(state: dict[str, Any], kind: str, seat: int = 0, seed: int = 7, mind: Any = None, **rules: Any) -> str:
    """Return the move word of one seat; `mind` then holds what a thinking player thought."""
    game = Game.from_state(state, seed=seed, **rules)
    kinds = np.full(len(game.snake_ids), CALLER, np.uint8)
    kinds[seat] = kind_of(kind)
    moves = np.full_like(kinds, 99)
    choose_moves(make_mind() if mind is None else mind, game.records.game(0), kinds, moves)
    assert (np.delete(moves, seat) == 99).all(), "somebody else's move was written"
    return layout.MOVE_WORDS[moves[seat]]


@pytest.fixture(scope="session")
def at() -> Callable[..., dict[str, Any]]:
    """Return `position`."""
    return position


@pytest.fixture(scope="session")
def ask() -> Callable[..., str]:
    """Return `choose`."""
    return choose
