"""What a map does to the board: set-up, then food and hazards after the rules of each turn."""

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import MAP, Cells, Longs, Words
from pipeline.engine.map_names import EMPTY, NO_MAP, ROYALE_MAP
from pipeline.engine.royale import shrink_royale
from pipeline.engine.spawn import spawn_food
from pipeline.engine.starts import FINE, place_food, place_snakes


@compiled
def set_up(words: Words, cells: Cells, longs: Longs, game: int) -> int:
    """Place snakes, food and hazards on a blank board; return FINE or why that is impossible."""
    problem = place_snakes(words, cells, longs, game)
    if problem == FINE and words[game, MAP] != EMPTY:
        problem = place_food(words, cells, longs, game)
    return problem


@inlined
def update(words: Words, cells: Cells, longs: Longs, game: int) -> None:
    """Play the map's part of a turn; it sees the board after the rules, the turn number not yet raised."""
    this_map = words[game, MAP]
    if this_map == NO_MAP or this_map == EMPTY:  # noqa: PLR1714, SIM109 - compiled
        return
    spawn_food(words, cells, longs, game, True)
    if this_map == ROYALE_MAP:
        shrink_royale(words, cells, longs, game, False)
