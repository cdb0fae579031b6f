"""Between plain data and the record of one game: loading a checked state, and reading one back."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import grid, layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import Cells, Records, Words
from pipeline.engine.map_names import SNAIL_MODE
from pipeline.engine.rules import is_over
from pipeline.engine.settings import RuleSettings
from pipeline.engine.state_checks import Cell, CheckedSnake, CheckedState
from pipeline.engine.turn import blank

_DIRECTIONS = {(0, 1): layout.UP, (0, -1): layout.DOWN, (-1, 0): layout.LEFT, (1, 0): layout.RIGHT}


def write_header(
    records: Records, game: int, size: tuple[int, int, int], rules: int, map_number: int, settings: RuleSettings
) -> None:
    """Write what stays the same all game: (width, height, snakes), rules, map and settings.

    Damage beyond what kills or heals outright, and counts beyond the board, are cut to what has the same effect.
    """
    words = records.words[game]
    words[layout.WIDTH], words[layout.HEIGHT], words[layout.SNAKES] = size
    words[layout.RULES] = rules
    words[layout.MAP] = map_number
    words[layout.DAMAGE] = min(max(settings.damagePerTurn, -1000), 1000)
    words[layout.FOOD_CHANCE] = min(max(settings.foodSpawnChance, 0), 101)
    words[layout.MINIMUM_FOOD] = min(max(settings.minimumFood, 0), 1000)
    records.longs[game, layout.SHRINK] = settings.shrinkEveryNTurns


def _direction(records: Records, game: int, start: Cell, end: Cell) -> int:
    width, height = records.words[game, layout.WIDTH], records.words[game, layout.HEIGHT]
    dx, dy = end[0] - start[0], end[1] - start[1]
    if abs(dx) > 1:
        dx -= int(np.sign(dx)) * int(width)
    if abs(dy) > 1:
        dy -= int(np.sign(dy)) * int(height)
    return _DIRECTIONS[dx, dy]


def _cell(records: Records, game: int, cell: Cell) -> int:
    return (cell[1] + 1) * int(records.words[game, layout.STRIDE]) + cell[0] + 1


def _load_living(records: Records, game: int, index: int, body: tuple[Cell, ...]) -> None:
    words = records.words[game]
    at = layout.HEADER + index * layout.SNAKE_WORDS
    words[layout.ALIVE] += 1
    words[at + layout.LENGTH] = len(body)
    words[at + layout.FACING] = layout.NO_DIRECTION
    if not body:
        return
    words[at + layout.STACK] = body.count(body[-1])
    words[at + layout.HEAD] = _cell(records, game, body[0])
    words[at + layout.TAIL] = _cell(records, game, body[-1])
    path = body[: len(body) - body.count(body[-1]) + 1]
    for position, cell in enumerate(path):
        byte = index + 1
        if position:
            direction = _direction(records, game, cell, path[position - 1])
            byte |= direction << layout.DIRECTION_SHIFT
            if position == 1:
                words[at + layout.FACING] = direction
        records.cells[game, _cell(records, game, cell)] |= byte


def _load_snake(records: Records, game: int, index: int, snake: CheckedSnake, ids: dict[str, int]) -> None:
    words = records.words[game]
    at = layout.HEADER + index * layout.SNAKE_WORDS
    words[at + layout.HEALTH] = max(snake.health, -(2**15))
    words[at + layout.CAUSE] = layout.CAUSE_WORDS.index(snake.cause)
    words[at + layout.KILLER] = ids.get(snake.by, -1)
    if not snake.cause:
        _load_living(records, game, index, snake.body)
        return
    # A corpse's cells stay with the caller; these two say how constrictor still grows it.
    words[at + layout.LENGTH] = len(snake.body)
    words[at + layout.STACK] = 1 if len(snake.body) < 2 or snake.body[-1] != snake.body[-2] else 2
    words[at + layout.VERDICT] = layout.BURIED
    records.longs[game, layout.LONGS + index] = snake.on


def load_hazards(records: Records, game: int, hazards: Iterable[Cell]) -> None:
    """Make these the hazards, repeated cells stacking; those more than one cell off the board are nobody's danger."""
    words, cells = records.words, records.cells
    width, height = int(words[game, layout.WIDTH]), int(words[game, layout.HEIGHT])
    grid.clear_hazards(words, cells, game)
    words[game, layout.SHRUNK] = -1
    snail = words[game, layout.MAP] == SNAIL_MODE
    pending = Counter[Cell]()
    for (x, y), count in Counter(hazards).items():
        if y <= height:
            grid.add_hazard(words, cells, game, _cell(records, game, (x, y)), count)
        if snail and y >= height and 0 <= x < width:
            pending[x, y - height] += count
    if snail:
        for index in range(words[game, layout.SNAKES]):
            at = layout.HEADER + index * layout.SNAKE_WORDS
            words[game, at + layout.PENDING : at + layout.PENDING_COUNT + 1] = 0
        for index, (cell, count) in enumerate(pending.most_common(int(words[game, layout.SNAKES]))):
            at = layout.HEADER + index * layout.SNAKE_WORDS
            words[game, at + layout.PENDING] = _cell(records, game, cell)
            words[game, at + layout.PENDING_COUNT] = count


def load_state(records: Records, game: int, state: CheckedState) -> None:
    """Write a checked state into a row whose header `write_header` has written."""
    words, cells, longs = records.words, records.cells, records.longs
    blank(words, cells, longs, game)
    longs[game, layout.TURN] = state.turn
    ids = {snake.id: index for index, snake in enumerate(state.snakes)}
    for index, snake in enumerate(state.snakes):
        living = snake if state.has_cells or snake.cause else CheckedSnake(snake.id, snake.health, (), "", "", 0)
        _load_snake(records, game, index, living, ids)
    for x, y in state.food:
        if 0 <= x < state.width and 0 <= y < state.height:
            grid.add_food(words, cells, game, _cell(records, game, (x, y)))
    load_hazards(records, game, state.hazards)
    words[game, layout.OVER] = is_over(words, game)


@compiled
def write_bodies(words: Words, cells: Cells, corpses: Words, game: int, out: Words) -> int:
    """Write every snake's body into `out` int16[rows, 2] as (x, y), snake after snake, head first; return the rows.

    Snakes whose corpse was not kept (corpses of shape (0, 0, 0), or dead when loaded) give no rows.
    """
    row = 0
    stride = words[game, layout.STRIDE]
    for snake in range(words[game, layout.SNAKES]):
        at = layout.HEADER + snake * layout.SNAKE_WORDS
        length, stack = words[game, at + layout.LENGTH], words[game, at + layout.STACK]
        living = words[game, at + layout.CAUSE] == layout.ALIVE_CAUSE
        if length == 0 or not (living or words[game, at + layout.HEAD] > 0):
            continue
        distinct = length - stack + 1
        cell = int(words[game, at + layout.TAIL])
        for index in range(distinct):
            if not living:
                cell = int(corpses[game, snake, index])
            position = row + distinct - 1 - index
            out[position, 0] = cell % stride - 1
            out[position, 1] = cell // stride - 1
            if living and index < distinct - 1:
                cell = grid.neighbour(words, cells, game, cell, grid.direction_at(cells, game, cell))
        for copy in range(distinct, length):
            out[row + copy, 0] = out[row + distinct - 1, 0]
            out[row + copy, 1] = out[row + distinct - 1, 1]
        row += length
    return row


def food_cells(records: Records, game: int) -> list[list[int]]:
    """Return the food as [x, y], in the rules' order."""
    words = records.words[game]
    first = int(words[layout.FOOD_AT])
    stride = int(words[layout.STRIDE])
    return [[c % stride - 1, c // stride - 1] for c in words[first : first + int(words[layout.FOOD])].tolist()]


def hazard_cells(records: Records, game: int) -> list[list[int]]:
    """Return the hazards as [x, y], stacks repeated, by x then y; snail_mode's pending ones last."""
    words = records.words[game]
    found: list[list[int]] = []
    if words[layout.HAZARDS] > 0:
        area, stride = int(words[layout.AREA]), int(words[layout.STRIDE])
        counts: NDArray[Any] = records.cells[game, area : 2 * area]
        for cell in np.nonzero(counts)[0].tolist():
            found.extend([[cell % stride - 1, cell // stride - 1]] * int(counts[cell]))
        found.sort()
    if words[layout.MAP] == SNAIL_MODE:
        found = [cell for cell in found if cell[1] < words[layout.HEIGHT]] + pending_hazards(records, game)
    return found


def pending_hazards(records: Records, game: int) -> list[list[int]]:
    """Return snail_mode's pending trails where the official engine keeps them: one board height above."""
    words = records.words[game]
    stride, height = int(words[layout.STRIDE]), int(words[layout.HEIGHT])
    found: list[list[int]] = []
    for index in range(int(words[layout.SNAKES])):
        at = layout.HEADER + index * layout.SNAKE_WORDS
        cell, count = int(words[at + layout.PENDING]), int(words[at + layout.PENDING_COUNT])
        found.extend([[cell % stride - 1, cell // stride - 1 + height]] * count)
    return found
