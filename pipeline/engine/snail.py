"""The map snail_mode: snakes leave trails of hazards, as many as they are long, fading by one a turn."""

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_hazard
from pipeline.engine.layout import Record


@compiled
def fade(game: Record) -> None:
    """Take one hazard off every stack on the board, and all that stand for pending trails off its upper border."""
    area, stride = int(game.fields[layout.AREA]), int(game.fields[layout.STRIDE])
    left = 0
    for cell in range(area):
        at = area + cell
        if game.grid[at] > 0:
            game.grid[at] = 0 if cell >= area - stride else game.grid[at] - 1
            left += game.grid[at] > 0
    game.fields[layout.HAZARDS] = left


@compiled
def under_living_head(game: Record, cell: int) -> bool:
    """Return whether a living snake's head is on the cell."""
    for at in range(
        layout.HEADER, layout.HEADER + game.fields[layout.SNAKES] * layout.SNAKE_FIELDS, layout.SNAKE_FIELDS
    ):
        if game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE and game.fields[at + layout.HEAD] == cell:
            return True
    return False


@compiled
def leave_trails(game: Record) -> None:
    """Fade the trails, bring last turn's pending ones on the board, and note this turn's tails as pending.

    A pending trail stands one board height above its cell; one of the bottom row therefore lies just outside the
    board and hurts a head that leaves through the top.
    """
    if game.fields[layout.HAZARDS] > 0:
        fade(game)
    game.fields[layout.SHRUNK] = -1
    snakes_end = layout.HEADER + game.fields[layout.SNAKES] * layout.SNAKE_FIELDS
    for at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        cell = int(game.fields[at + layout.PENDING])
        if game.fields[at + layout.PENDING_COUNT] > 0 and not under_living_head(game, cell):
            add_hazard(game, cell, game.fields[at + layout.PENDING_COUNT])
        game.fields[at + layout.PENDING] = 0
        game.fields[at + layout.PENDING_COUNT] = 0
    stride = int(game.fields[layout.STRIDE])
    for at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        if game.fields[at + layout.CAUSE] != layout.ALIVE_CAUSE or game.fields[at + layout.STACK] != 1:
            continue
        cell = int(game.fields[at + layout.TAIL])
        game.fields[at + layout.PENDING] = cell
        game.fields[at + layout.PENDING_COUNT] = min(game.fields[at + layout.LENGTH], 255)
        if cell < 2 * stride:
            above = cell + game.fields[layout.HEIGHT] * stride
            add_hazard(game, above, game.fields[at + layout.PENDING_COUNT])
