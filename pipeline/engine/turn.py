"""A whole turn and a whole set-up, as compiled code and the façade both call them."""

from pipeline.engine import maps
from pipeline.engine.board import Board, board_of
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import (
    ALIVE,
    AREA,
    FOOD,
    FOOD_AT,
    HAZARDS,
    HEADER,
    HEIGHT,
    LONGS,
    MAP_A,
    OVER,
    ROYALE,
    SEED,
    SHRUNK,
    SNAKE_WORDS,
    SNAKES,
    STRIDE,
    TURN,
    WALL,
    WIDTH,
    Cells,
    Longs,
    Moves,
    Words,
)
from pipeline.engine.map_names import ROYALE_MAP, STANDARD
from pipeline.engine.rng import turn_key
from pipeline.engine.royale import shrink_royale
from pipeline.engine.rules import initialise, is_over, run_stages
from pipeline.engine.spawn import food_dice, spawn_food


@compiled
def blank(words: Words, cells: Cells, longs: Longs, game: int) -> None:
    """Wipe the board of a game: no snake placed, no food, no hazard, turn 0.

    Reads WIDTH, HEIGHT, SNAKES; keeps those, the rules, the map, the settings, the seed and the episode.
    """
    width, height = int(words[game, WIDTH]), int(words[game, HEIGHT])
    stride = width + 2
    area = stride * (height + 2)
    words[game, STRIDE] = stride
    words[game, AREA] = area
    words[game, FOOD_AT] = HEADER + SNAKE_WORDS * words[game, SNAKES]
    words[game, ALIVE] = 0
    words[game, FOOD] = 0
    words[game, HAZARDS] = 0
    words[game, OVER] = 0
    words[game, SHRUNK] = 0
    for index in range(MAP_A, SHRUNK):
        words[game, index] = 0
    for index in range(HEADER, words[game, FOOD_AT]):
        words[game, index] = 0
    for cell in range(2 * area):
        cells[game, cell] = 0
    for x in range(stride):
        cells[game, x] = WALL
        cells[game, area - 1 - x] = WALL
    for y in range(1, height + 1):
        cells[game, y * stride] = WALL
        cells[game, y * stride + stride - 1] = WALL
    longs[game, TURN] = 0
    for snake in range(words[game, SNAKES]):
        longs[game, LONGS + snake] = 0


@compiled
def begin(words: Words, cells: Cells, longs: Longs, game: int) -> int:
    """Set up a new game from the row's size, rules, map, settings and seed; return FINE or what was impossible."""
    blank(words, cells, longs, game)
    problem = maps.set_up(words, cells, longs, game)
    initialise(words, cells, game)
    words[game, OVER] = is_over(words, game)
    return int(problem)


@inlined
def draw_plain(board: Board, words: Words, cells: Cells, longs: Longs, game: int, dice: int) -> None:
    """`draw_by` on the plain maps: none, standard, empty and royale."""
    if board.rules & ROYALE:
        shrink_royale(words, cells, longs, game, True)
    if board.map == STANDARD or board.map == ROYALE_MAP:  # noqa: PLR1714 - compiled
        spawn_food(words, cells, longs, game, True, dice)
    if board.map == ROYALE_MAP:
        shrink_royale(words, cells, longs, game, False)


@inlined
def draw_by(board: Board, words: Words, cells: Cells, longs: Longs, corpses: Words, game: int, dice: int) -> None:
    """Play what the seed decides in a turn: the royale ruleset's stage, then the map's food and hazards."""
    if board.map <= ROYALE_MAP:
        draw_plain(board, words, cells, longs, game, dice)
        return
    if board.rules & ROYALE:
        shrink_royale(words, cells, longs, game, True)
    maps.update(words, cells, longs, corpses, game, dice)


@compiled
def draw_turn(words: Words, cells: Cells, longs: Longs, corpses: Words, game: int) -> None:
    """Play what the seed decides in a turn whose rules have been applied."""
    dice = food_dice(turn_key(longs[game, SEED], longs[game, TURN]))
    draw_by(board_of(words, game), words, cells, longs, corpses, game, dice)


@inlined
def play_turn(words: Words, cells: Cells, longs: Longs, corpses: Words, moves: Moves, game: int) -> None:
    """Play one whole turn of a game that is not over: rules, map, turn number."""
    board = board_of(words, game)
    dice = food_dice(turn_key(longs[game, SEED], longs[game, TURN]))
    run_stages(board, words, cells, longs, corpses, moves, game, True)
    draw_by(board, words, cells, longs, corpses, game, dice)
    longs[game, TURN] += 1
