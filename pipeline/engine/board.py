"""What stays the same all game long: read from a game's record, or known when a kernel is compiled."""

from typing import NamedTuple

from pipeline.engine import layout
from pipeline.engine.compile_cache import inlined
from pipeline.engine.layout import Record


class Board(NamedTuple):
    """Width and height (cells), number of snakes, bits of the ruleset, number of the map."""

    width: int
    height: int
    snakes: int
    rules: int
    map: int


@inlined
def board_of(game: Record) -> Board:
    """Return what a game's header says."""
    return Board(
        int(game.words[layout.WIDTH]),
        int(game.words[layout.HEIGHT]),
        int(game.words[layout.SNAKES]),
        int(game.words[layout.RULES]),
        int(game.words[layout.MAP]),
    )
