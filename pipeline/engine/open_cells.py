"""Whether a head may enter a cell: asked by players and by the encoder, about any cell."""

from pipeline.engine import layout
from pipeline.engine.compile_cache import inlined
from pipeline.engine.layout import Record


@inlined
def is_leaving_tail(game: Record, cell: int) -> bool:
    """Return whether an occupied cell is a tail that moves away this very turn."""
    owner = game.grid[cell] & layout.OWNER
    if owner > 16:
        return False
    owner_at = layout.HEADER + (owner - 1) * layout.SNAKE_FIELDS
    return bool(game.fields[owner_at + layout.TAIL] == cell and game.fields[owner_at + layout.STACK] == 1)


@inlined
def is_open(game: Record, cell: int) -> bool:
    """Return whether neither wall nor body forbids `cell`; a tail that moves away this turn forbids nothing."""
    return game.grid[cell] & layout.OWNER == 0 or is_leaving_tail(game, cell)
