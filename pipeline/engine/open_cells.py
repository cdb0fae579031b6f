"""Whether a head may enter a cell: asked by players and by the encoder, about any cell."""

from pipeline.engine.compile_cache import inlined
from pipeline.engine.layout import HEADER, OWNER, SNAKE_WORDS, STACK, TAIL, WALL, Cells, Words


@inlined
def is_open(words: Words, cells: Cells, game: int, cell: int) -> bool:
    """Return whether neither wall nor body forbids `cell`; a tail that moves away this turn forbids nothing."""
    owner = int(cells[game, cell] & OWNER)
    if owner == 0:
        return True
    if owner == WALL:
        return False
    owner_at = HEADER + (owner - 1) * SNAKE_WORDS
    return bool(words[game, owner_at + TAIL] == cell and words[game, owner_at + STACK] == 1)
