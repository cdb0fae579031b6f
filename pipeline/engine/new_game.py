"""Checking what a fresh game is asked to be, and setting it up."""

from typing import Any

import numpy as np

from pipeline.engine import layout
from pipeline.engine.game_spec import RuleSettings
from pipeline.engine.layout import MAX_SIDE, MAX_SNAKES, Records
from pipeline.engine.map_names import HAZARD_PITS, ROYALE_MAP, MapLimits, map_limits
from pipeline.engine.starts import FINE, NO_ROOM_FOR_SNAKE
from pipeline.engine.state import write_header
from pipeline.engine.state_checks import read_integer, refuse
from pipeline.engine.turn import begin
from schemas.errors import GameStateError


class SetUpError(GameStateError):
    """This map cannot be set up with this board or number of snakes."""


def signed_seed(seed: int | np.integer[Any], field: str = "seed") -> int:
    """Return the 64 bits of a seed as the record holds them.

    Raises:
        GameStateError: `seed` is no whole number, Python's or numpy's, within 64 bits, signed or unsigned.
    """
    number = seed.item() if isinstance(seed, np.integer) else seed
    if type(number) is not int or not -(2**63) <= number < 2**64:
        refuse(f"{seed!r} is no whole number of 64 bits", field)
    return number - 2**64 if number >= 2**63 else number


def check_map(size: tuple[int, int, int], map_id: str) -> MapLimits:
    """Return what is known of a map that may be played with (width, height, snakes).

    Raises:
        GameStateError: a map unknown (`UnknownMapError`) or unfit for this board or number (`SetUpError`).
    """
    limits = map_limits(map_id)
    if min(size[:2]) < limits.least_side:
        raise SetUpError(f"the map {map_id!r} needs sides from {limits.least_side} on", where="width, height")
    if size[2] > limits.most_snakes:
        raise SetUpError(
            f"the map {map_id!r} takes at most {limits.most_snakes} snakes, not {size[2]}", where="snake_ids"
        )
    if limits.boards and size[:2] not in limits.boards:
        boards = ", ".join(f"{w}x{h}" for w, h in limits.boards)
        raise SetUpError(f"the map {map_id!r} is made for {boards}, not {size[0]}x{size[1]}", where="width, height")
    return limits


def check_new_game(size: tuple[int, int, int], rules: int, map_id: str, settings: RuleSettings) -> int:
    """Return the number of a map that may be set up with (width, height, snakes).

    Raises:
        GameStateError: sizes out of 3..25, snakes out of 1..16, royale shrinking more than every turn, a map
            unknown (`UnknownMapError`) or unfit for this board or number (`SetUpError`).
    """
    for name, value, low, high in (
        ("width", size[0], 3, MAX_SIDE),
        ("height", size[1], 3, MAX_SIDE),
        ("snake_ids", size[2], 1, MAX_SNAKES),
    ):
        read_integer(value, name, low, high)
    limits = check_map(size, map_id)
    shrinks = rules & layout.ROYALE or limits.number in (ROYALE_MAP, HAZARD_PITS)
    if shrinks and settings.shrinkEveryNTurns < 1:
        refuse("royale game can't shrink more frequently than every turn", "settings.shrinkEveryNTurns")
    return limits.number


def raise_set_up_problem(problem: int, size: tuple[int, int, int], map_id: str) -> None:
    """Raise `SetUpError` unless `problem` is FINE."""
    if problem != FINE:
        lacking = "snakes" if problem == NO_ROOM_FOR_SNAKE else "food"
        raise SetUpError(
            f"no room for the {lacking} of {size[2]} snakes on {size[0]}x{size[1]}",
            where=f"map {map_id!r}",
            remedy="Take a larger board or fewer snakes.",
        )


def begin_checked(size: tuple[int, int, int], rules: int, map_id: str, settings: RuleSettings, seed: int) -> Records:
    """Return the record of one fresh game of (width, height, snakes), corpses kept."""
    number = check_new_game(size, rules, map_id, settings)
    records = layout.allocate(1, [size], corpses=True)
    write_header(records, 0, size, rules, number, settings)
    records.clock[0, layout.SEED] = signed_seed(seed)
    raise_set_up_problem(int(begin(records.game(0))), size, map_id)
    return records
