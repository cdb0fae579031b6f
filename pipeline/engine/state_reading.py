"""Reading the record of one game back into plain data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import grid, layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import ALIVE_CAUSE, HEADER, SNAKE_FIELDS, Bodies, Record, Records
from pipeline.engine.map_names import SNAIL_MODE


@compiled
def write_bodies(game: Record, out: Bodies) -> int:
    """Write every snake's body into `out` int16[rows, 2] as (x, y), snake after snake, head first; return the rows.

    Snakes whose corpse was not kept (no corpses, or dead when loaded) give no rows.
    """
    row = 0
    stride = game.fields[layout.STRIDE]
    for snake in range(game.fields[layout.SNAKES]):
        at = layout.HEADER + snake * layout.SNAKE_FIELDS
        length, stack = game.fields[at + layout.LENGTH], game.fields[at + layout.STACK]
        living = game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE
        if length == 0 or not (living or (game.corpses.shape[0] > 0 and game.fields[at + layout.HEAD] > 0)):
            continue
        distinct = length - stack + 1
        cell = int(game.fields[at + layout.TAIL])
        for index in range(distinct):
            if not living:
                cell = int(game.corpses[snake, index])
            position = row + distinct - 1 - index
            out[position, 0] = cell % stride - 1
            out[position, 1] = cell // stride - 1
            if living and index < distinct - 1:
                cell = grid.neighbour(game, cell, grid.direction_at(game, cell))
        for copy in range(distinct, length):
            out[row + copy, 0] = out[row + distinct - 1, 0]
            out[row + copy, 1] = out[row + distinct - 1, 1]
        row += length
    return row


def food_cells(records: Records, game: int) -> list[list[int]]:
    """Return the food as [x, y], in the rules' order."""
    fields = records.fields[game]
    first = int(fields[layout.FOOD_AT])
    stride = int(fields[layout.STRIDE])
    return [[c % stride - 1, c // stride - 1] for c in fields[first : first + int(fields[layout.FOOD])].tolist()]


def hazard_cells(records: Records, game: int) -> list[list[int]]:
    """Return the hazards as [x, y], stacks repeated, by x then y; snail_mode's pending ones last."""
    fields = records.fields[game]
    found: list[list[int]] = []
    if fields[layout.HAZARDS] > 0:
        area, stride = int(fields[layout.AREA]), int(fields[layout.STRIDE])
        counts: NDArray[Any] = records.grid[game, area : 2 * area]
        for cell in np.nonzero(counts)[0].tolist():
            found.extend([[cell % stride - 1, cell // stride - 1]] * int(counts[cell]))
        found.sort()
    if fields[layout.MAP] == SNAIL_MODE:
        found = [cell for cell in found if cell[1] < fields[layout.HEIGHT]] + pending_hazards(records, game)
    return found


def pending_hazards(records: Records, game: int) -> list[list[int]]:
    """Return snail_mode's pending trails where the official engine keeps them: one board height above."""
    fields = records.fields[game]
    stride, height = int(fields[layout.STRIDE]), int(fields[layout.HEIGHT])
    found: list[list[int]] = []
    for index in range(int(fields[layout.SNAKES])):
        at = layout.HEADER + index * layout.SNAKE_FIELDS
        cell, count = int(fields[at + layout.PENDING]), int(fields[at + layout.PENDING_COUNT])
        found.extend([[cell % stride - 1, cell // stride - 1 + height]] * count)
    return found


def _bodies(records: Records, game: int) -> list[list[int]]:
    """Return every snake's body, one after another, as `write_bodies` finds them."""
    snakes = int(records.fields[game, layout.SNAKES])
    lengths = records.fields[game, HEADER : HEADER + snakes * SNAKE_FIELDS].reshape(snakes, SNAKE_FIELDS)[
        :, layout.LENGTH
    ]
    out = np.empty((int(lengths.sum()), 2), np.int16)
    rows = write_bodies(records.game(game), out)
    cells: list[list[int]] = out[:rows].tolist()
    return cells


def _death(records: Records, game: int, index: int, block: list[int], ids: Sequence[str]) -> dict[str, Any]:
    killer = block[layout.KILLER]
    return {
        "cause": layout.CAUSE_WORDS[block[layout.CAUSE]],
        "by": ids[killer] if killer >= 0 else "",
        "on": int(records.clock[game, layout.DEATHS + index]),
    }


def read_snakes(
    records: Records,
    game: int,
    ids: Sequence[str],
    kept_bodies: Mapping[int, list[list[int]]],
    kept_deaths: Mapping[int, dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the snakes of a state; the kept ones stand in for what the record does not know of snakes loaded dead."""
    fields = records.fields[game]
    cells = _bodies(records, game)
    has_corpses = records.corpses.shape[1] > 0
    snakes = []
    row = 0
    for index, name in enumerate(ids):
        at = HEADER + index * SNAKE_FIELDS
        block = fields[at : at + SNAKE_FIELDS].tolist()
        length, living = block[layout.LENGTH], block[layout.CAUSE] == ALIVE_CAUSE
        if index in kept_bodies:
            body = kept_bodies[index]
            body = [list(cell) for cell in body + body[-1:] * (length - len(body))]
        elif living or (has_corpses and block[layout.HEAD] > 0):
            body = cells[row : row + length]
            row += length
        else:
            body = []
        snake: dict[str, Any] = {"id": name, "health": block[layout.HEALTH], "body": body}
        if not living:
            snake |= kept_deaths[index] if index in kept_deaths else _death(records, game, index, block, ids)
        snakes.append(snake)
    return snakes


def read_state_back(records: Records, game: int, ids: Sequence[str]) -> dict[str, Any]:
    """Return a whole state, knowing no more than the record does."""
    fields = records.fields[game]
    return {
        "turn": int(records.clock[game, layout.TURN]),
        "width": int(fields[layout.WIDTH]),
        "height": int(fields[layout.HEIGHT]),
        "food": food_cells(records, game),
        "hazards": hazard_cells(records, game),
        "snakes": read_snakes(records, game, ids, {}, {}),
    }
