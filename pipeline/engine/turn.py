"""A whole turn and a whole set-up, as compiled code and the façade both call them."""

from pipeline.engine import layout, maps
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import Moves, Record
from pipeline.engine.map_names import ROYALE_MAP, STANDARD
from pipeline.engine.maps import shrink_royale
from pipeline.engine.record import Board, board_of
from pipeline.engine.rng import turn_key
from pipeline.engine.rules import initialise, is_over, run_stages
from pipeline.engine.spawn import food_dice, spawn_food


@compiled
def blank(game: Record) -> None:
    """Wipe the board of a game: no snake placed, no food, no hazard, turn 0.

    Reads WIDTH, HEIGHT, SNAKES; keeps those, the rules, the map, the settings, the seed and the episode.
    """
    width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
    stride = width + 2
    area = stride * (height + 2)
    game.fields[layout.STRIDE] = stride
    game.fields[layout.AREA] = area
    game.fields[layout.FOOD_AT] = layout.HEADER + layout.SNAKE_FIELDS * game.fields[layout.SNAKES]
    game.fields[layout.ALIVE] = 0
    game.fields[layout.FOOD] = 0
    game.fields[layout.HAZARDS] = 0
    game.fields[layout.OVER] = 0
    game.fields[layout.SHRUNK] = 0
    for index in range(layout.MAP_A, layout.SHRUNK):
        game.fields[index] = 0
    for index in range(layout.HEADER, game.fields[layout.FOOD_AT]):
        game.fields[index] = 0
    for cell in range(2 * area):
        game.grid[cell] = 0
    for x in range(stride):
        game.grid[x] = layout.WALL
        game.grid[area - 1 - x] = layout.WALL
    for y in range(1, height + 1):
        game.grid[y * stride] = layout.WALL
        game.grid[y * stride + stride - 1] = layout.WALL
    game.clock[layout.TURN] = 0
    for snake in range(game.fields[layout.SNAKES]):
        game.clock[layout.DEATHS + snake] = 0


@compiled
def begin(game: Record) -> int:
    """Set up a new game from the row's size, rules, map, settings and seed; return FINE or what was impossible."""
    blank(game)
    problem = maps.set_up(game)
    initialise(game)
    game.fields[layout.OVER] = is_over(game)
    return int(problem)


@inlined
def draw_plain(board: Board, game: Record, dice: int) -> None:
    """`draw_by` on the plain maps: none, standard, empty and royale."""
    if board.rules & layout.ROYALE:
        shrink_royale(game, True)
    if board.map == STANDARD or board.map == ROYALE_MAP:  # noqa: PLR1714 - compiled
        spawn_food(game, True, dice)
    if board.map == ROYALE_MAP:
        shrink_royale(game, False)


@inlined
def draw_by(board: Board, game: Record, dice: int) -> None:
    """Play what the seed decides in a turn: the royale ruleset's stage, then the map's food and hazards."""
    if board.map <= ROYALE_MAP:
        draw_plain(board, game, dice)
        return
    if board.rules & layout.ROYALE:
        shrink_royale(game, True)
    maps.update(game, dice)


@compiled
def draw_turn(game: Record) -> None:
    """Play what the seed decides in a turn whose rules have been applied."""
    dice = food_dice(turn_key(game.clock[layout.SEED], game.clock[layout.TURN]))
    draw_by(board_of(game), game, dice)


@inlined
def play_turn(game: Record, moves: Moves) -> None:
    """Play one whole turn of a game that is not over: rules, map, turn number."""
    board = board_of(game)
    dice = food_dice(turn_key(game.clock[layout.SEED], game.clock[layout.TURN]))
    run_stages(board, game, moves, True)
    draw_by(board, game, dice)
    game.clock[layout.TURN] += 1
