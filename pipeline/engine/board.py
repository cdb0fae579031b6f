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
        int(game.fields[layout.WIDTH]),
        int(game.fields[layout.HEIGHT]),
        int(game.fields[layout.SNAKES]),
        int(game.fields[layout.RULES]),
        int(game.fields[layout.MAP]),
    )
