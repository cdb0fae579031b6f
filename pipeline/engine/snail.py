"""The map snail_mode: snakes leave trails of hazards, as many as they are long, fading by one a turn."""

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_hazard
from pipeline.engine.layout import Record


@compiled
def fade(game: Record) -> None:
    """Take one hazard off every stack on the board, and all that stand for pending trails off its upper border."""
    area, stride = int(game.words[layout.AREA]), int(game.words[layout.STRIDE])
    left = 0
    for cell in range(area):
        at = area + cell
        if game.cells[at] > 0:
            game.cells[at] = 0 if cell >= area - stride else game.cells[at] - 1
            left += game.cells[at] > 0
    game.words[layout.HAZARDS] = left


@compiled
def under_living_head(game: Record, cell: int) -> bool:
    """Return whether a living snake's head is on the cell."""
    for at in range(layout.HEADER, layout.HEADER + game.words[layout.SNAKES] * layout.SNAKE_WORDS, layout.SNAKE_WORDS):
        if game.words[at + layout.CAUSE] == layout.ALIVE_CAUSE and game.words[at + layout.HEAD] == cell:
            return True
    return False


@compiled
def leave_trails(game: Record) -> None:
    """Fade the trails, bring last turn's pending ones on the board, and note this turn's tails as pending.

    A pending trail stands one board height above its cell; one of the bottom row therefore lies just outside the
    board and hurts a head that leaves through the top.
    """
    if game.words[layout.HAZARDS] > 0:
        fade(game)
    game.words[layout.SHRUNK] = -1
    snakes_end = layout.HEADER + game.words[layout.SNAKES] * layout.SNAKE_WORDS
    for at in range(layout.HEADER, snakes_end, layout.SNAKE_WORDS):
        cell = int(game.words[at + layout.PENDING])
        if game.words[at + layout.PENDING_COUNT] > 0 and not under_living_head(game, cell):
            add_hazard(game, cell, game.words[at + layout.PENDING_COUNT])
        game.words[at + layout.PENDING] = 0
        game.words[at + layout.PENDING_COUNT] = 0
    stride = int(game.words[layout.STRIDE])
    for at in range(layout.HEADER, snakes_end, layout.SNAKE_WORDS):
        if game.words[at + layout.CAUSE] != layout.ALIVE_CAUSE or game.words[at + layout.STACK] != 1:
            continue
        cell = int(game.words[at + layout.TAIL])
        game.words[at + layout.PENDING] = cell
        game.words[at + layout.PENDING_COUNT] = min(game.words[at + layout.LENGTH], 255)
        if cell < 2 * stride:
            above = cell + game.words[layout.HEIGHT] * stride
            add_hazard(game, above, game.words[at + layout.PENDING_COUNT])
