"""What stays the same all game long: read from a game's record, or known when a kernel is compiled."""

from typing import NamedTuple

from pipeline.engine.compile_cache import inlined
from pipeline.engine.layout import (
    HEIGHT,
    MAP,
    RULES,
    SNAKES,
    WIDTH,
    Words,
)


class Board(NamedTuple):
    """Width and height (cells), number of snakes, bits of the ruleset, number of the map."""

    width: int
    height: int
    snakes: int
    rules: int
    map: int


@inlined
def board_of(words: Words, game: int) -> Board:
    """Return what a game's header says."""
    return Board(
        int(words[game, WIDTH]),
        int(words[game, HEIGHT]),
        int(words[game, SNAKES]),
        int(words[game, RULES]),
        int(words[game, MAP]),
    )
