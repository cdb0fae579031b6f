"""The map snail_mode: snakes leave trails of hazards, as many as they are long, fading by one a turn."""

from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_hazard
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    AREA,
    CAUSE,
    HAZARDS,
    HEAD,
    HEADER,
    HEIGHT,
    LENGTH,
    PENDING,
    PENDING_COUNT,
    SHRUNK,
    SNAKE_WORDS,
    SNAKES,
    STACK,
    STRIDE,
    TAIL,
    Cells,
    Words,
)


@compiled
def fade(words: Words, cells: Cells, game: int) -> None:
    """Take one hazard off every stack on the board, and all that stand for pending trails off its upper border."""
    area, stride = int(words[game, AREA]), int(words[game, STRIDE])
    left = 0
    for cell in range(area):
        at = area + cell
        if cells[game, at] > 0:
            cells[game, at] = 0 if cell >= area - stride else cells[game, at] - 1
            left += cells[game, at] > 0
    words[game, HAZARDS] = left


@compiled
def under_living_head(words: Words, game: int, cell: int) -> bool:
    """Return whether a living snake's head is on the cell."""
    for at in range(HEADER, HEADER + words[game, SNAKES] * SNAKE_WORDS, SNAKE_WORDS):
        if words[game, at + CAUSE] == ALIVE_CAUSE and words[game, at + HEAD] == cell:
            return True
    return False


@compiled
def leave_trails(words: Words, cells: Cells, game: int) -> None:
    """Fade the trails, bring last turn's pending ones on the board, and note this turn's tails as pending.

    A pending trail stands one board height above its cell; one of the bottom row therefore lies just outside the
    board and hurts a head that leaves through the top.
    """
    if words[game, HAZARDS] > 0:
        fade(words, cells, game)
    words[game, SHRUNK] = -1
    snakes_end = HEADER + words[game, SNAKES] * SNAKE_WORDS
    for at in range(HEADER, snakes_end, SNAKE_WORDS):
        cell = int(words[game, at + PENDING])
        if words[game, at + PENDING_COUNT] > 0 and not under_living_head(words, game, cell):
            add_hazard(words, cells, game, cell, words[game, at + PENDING_COUNT])
        words[game, at + PENDING] = 0
        words[game, at + PENDING_COUNT] = 0
    stride = int(words[game, STRIDE])
    for at in range(HEADER, snakes_end, SNAKE_WORDS):
        if words[game, at + CAUSE] != ALIVE_CAUSE or words[game, at + STACK] != 1:
            continue
        cell = int(words[game, at + TAIL])
        words[game, at + PENDING] = cell
        words[game, at + PENDING_COUNT] = min(words[game, at + LENGTH], 255)
        if cell < 2 * stride:
            above = cell + words[game, HEIGHT] * stride
            add_hazard(words, cells, game, above, words[game, at + PENDING_COUNT])
