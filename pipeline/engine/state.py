"""Writing plain data into the record of one game: its header, a checked state, food and hazards."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.engine import grid, layout
from pipeline.engine.game_spec import RuleSettings
from pipeline.engine.layout import Records
from pipeline.engine.map_names import SNAIL_MODE
from pipeline.engine.rules import is_over
from pipeline.engine.state_checks import Cell, CheckedSnake, CheckedState, refuse
from pipeline.engine.turn import blank

MOST_HAZARDS = 255  # on one cell: its byte's limit
_DIRECTIONS = {(0, 1): layout.UP, (0, -1): layout.DOWN, (-1, 0): layout.LEFT, (1, 0): layout.RIGHT}


def write_header(
    records: Records, game: int, size: tuple[int, int, int], rules: int, map_number: int, settings: RuleSettings
) -> None:
    """Write what stays the same all game: (width, height, snakes), rules, map and settings.

    Damage beyond what kills or heals outright, and counts beyond the board, are cut to what has the same effect.
    """
    fields = records.fields[game]
    fields[layout.WIDTH], fields[layout.HEIGHT], fields[layout.SNAKES] = size
    fields[layout.RULES] = rules
    fields[layout.MAP] = map_number
    fields[layout.DAMAGE] = min(max(settings.damagePerTurn, -1000), 1000)
    fields[layout.FOOD_CHANCE] = min(max(settings.foodSpawnChance, 0), 101)
    fields[layout.MINIMUM_FOOD] = min(max(settings.minimumFood, 0), 1000)
    records.clock[game, layout.SHRINK] = settings.shrinkEveryNTurns


def _direction(records: Records, game: int, start: Cell, end: Cell) -> int:
    width, height = records.fields[game, layout.WIDTH], records.fields[game, layout.HEIGHT]
    dx, dy = end[0] - start[0], end[1] - start[1]
    if abs(dx) > 1:
        dx -= int(np.sign(dx)) * int(width)
    if abs(dy) > 1:
        dy -= int(np.sign(dy)) * int(height)
    return _DIRECTIONS[dx, dy]


def _cell(records: Records, game: int, cell: Cell) -> int:
    return (cell[1] + 1) * int(records.fields[game, layout.STRIDE]) + cell[0] + 1


def _load_living(records: Records, game: int, index: int, body: tuple[Cell, ...]) -> None:
    fields = records.fields[game]
    at = layout.HEADER + index * layout.SNAKE_FIELDS
    fields[layout.ALIVE] += 1
    fields[at + layout.LENGTH] = len(body)
    fields[at + layout.FACING] = layout.NO_DIRECTION
    if not body:
        return
    fields[at + layout.STACK] = body.count(body[-1])
    fields[at + layout.HEAD] = _cell(records, game, body[0])
    fields[at + layout.TAIL] = _cell(records, game, body[-1])
    path = body[: len(body) - body.count(body[-1]) + 1]
    for position, cell in enumerate(path):
        byte = index + 1
        if position:
            direction = _direction(records, game, cell, path[position - 1])
            byte |= direction << layout.DIRECTION_SHIFT
            if position == 1:
                fields[at + layout.FACING] = direction
        records.grid[game, _cell(records, game, cell)] |= byte


def _load_snake(records: Records, game: int, index: int, snake: CheckedSnake, ids: dict[str, int]) -> None:
    fields = records.fields[game]
    at = layout.HEADER + index * layout.SNAKE_FIELDS
    fields[at + layout.HEALTH] = max(snake.health, -(2**15))
    fields[at + layout.CAUSE] = layout.CAUSE_WORDS.index(snake.cause)
    fields[at + layout.KILLER] = ids.get(snake.by, -1)
    if not snake.cause:
        _load_living(records, game, index, snake.body)
        return
    # A corpse's cells stay with the caller; these two say how constrictor still grows it.
    fields[at + layout.LENGTH] = len(snake.body)
    fields[at + layout.STACK] = 1 if len(snake.body) < 2 or snake.body[-1] != snake.body[-2] else 2
    fields[at + layout.VERDICT] = layout.BURIED
    records.clock[game, layout.DEATHS + index] = snake.on


def load_hazards(records: Records, game: int, hazards: Sequence[Cell]) -> None:
    """Make these the hazards, repeated cells stacking; those more than one cell off the board are nobody's danger."""
    fields = records.fields[game]
    width, height = int(fields[layout.WIDTH]), int(fields[layout.HEIGHT])
    area, stride = int(fields[layout.AREA]), int(fields[layout.STRIDE])
    stacks = np.bincount([(y + 1) * stride + x + 1 for x, y in hazards if y <= height], minlength=area)
    records.grid[game, area : 2 * area] = np.minimum(stacks, MOST_HAZARDS)
    fields[layout.HAZARDS] = np.count_nonzero(stacks)
    fields[layout.SHRUNK] = -1
    snail = fields[layout.MAP] == SNAIL_MODE
    pending = Counter((x, y - height) for x, y in hazards if snail and y >= height and 0 <= x < width)
    if snail:
        for index in range(fields[layout.SNAKES]):
            at = layout.HEADER + index * layout.SNAKE_FIELDS
            fields[at + layout.PENDING : at + layout.PENDING_COUNT + 1] = 0
        for index, (cell, count) in enumerate(pending.most_common(int(fields[layout.SNAKES]))):
            at = layout.HEADER + index * layout.SNAKE_FIELDS
            fields[at + layout.PENDING] = _cell(records, game, cell)
            fields[at + layout.PENDING_COUNT] = count


def load_state(records: Records, game: int, state: CheckedState) -> None:
    """Write a checked state into a row whose header `write_header` has written."""
    record = records.game(game)
    blank(record)
    record.clock[layout.TURN] = state.turn
    ids = {snake.id: index for index, snake in enumerate(state.snakes)}
    for index, snake in enumerate(state.snakes):
        living = snake if state.has_cells or snake.cause else CheckedSnake(snake.id, snake.health, (), "", "", 0)
        _load_snake(records, game, index, living, ids)
    for x, y in state.food:
        if 0 <= x < state.width and 0 <= y < state.height:
            grid.add_food(record, _cell(records, game, (x, y)))
    load_hazards(records, game, state.hazards)
    record.fields[layout.OVER] = is_over(record)


def put_food(records: Records, game: int, food: Iterable[Cell]) -> None:
    """Append food.

    Raises:
        GameStateError: there is food on such a cell already; what came before it was put down.
    """
    for cell in food:
        number = _cell(records, game, cell)
        if records.grid[game, number] & layout.FOOD_BIT:
            refuse(f"there is already food on {list(cell)}", "food")
        grid.add_food(records.game(game), number)
