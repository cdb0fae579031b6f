"""Royale's closing hazards, for the ruleset's stage and for the map: the complement of a rectangle."""

from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_hazard, cell_of, clear_hazards
from pipeline.engine.layout import HEIGHT, SEED, SHRINK, SHRUNK, TURN, WIDTH, Record
from pipeline.engine.rng import HAZARD_MAP, draw, stream


@compiled
def fill_outside(game: Record, left: int, right: int, bottom: int, top: int) -> None:
    """Put one hazard on every cell outside left..right x bottom..top."""
    for x in range(game.fields[WIDTH]):
        for y in range(game.fields[HEIGHT]):
            if x < left or x > right or y < bottom or y > top:
                add_hazard(game, cell_of(game, x, y), 1)


@compiled
def shrink_royale(game: Record, clear_early: bool) -> None:
    """Redraw the hazards for the turn being played: (turn + 1) // SHRINK rows and columns cut, the same each turn.

    `clear_early`: also empty the hazards before the first cut, as the ruleset does and the map does not.
    """
    every = game.clock[SHRINK]
    cuts = (game.clock[TURN] + 1) // every if every > 0 else 0
    # Cutting more often than there are rows and columns changes nothing: from then on the board is full.
    cuts = min(cuts, 32000)
    if cuts == game.fields[SHRUNK] or (cuts == 0 and not clear_early):
        return
    clear_hazards(game)
    game.fields[SHRUNK] = cuts
    left, right = 0, int(game.fields[WIDTH]) - 1
    bottom, top = 0, int(game.fields[HEIGHT]) - 1
    key = stream(game.clock[SEED], 0, HAZARD_MAP)
    for index in range(cuts):
        side = draw(key, index, 4)
        if side == 0:
            left += 1
        elif side == 1:
            right -= 1
        elif side == 2:
            bottom += 1
        else:
            top -= 1
    fill_outside(game, left, right, bottom, top)
