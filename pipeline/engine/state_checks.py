"""Reading a game state given as plain data: every field checked, the field's name in every refusal.

Demanded: whole numbers of sane size; a board of at most 25x25 (boards under 3x3 are let through, since the rules'
own cases use them); at most 16 snakes with distinct, non-empty ids; living snakes with health 1..100 and a
connected body on the board that overlaps neither itself (but for copies stacked at the tail) nor another living
snake; food on the board, each cell once. Left free, because real games show it: corpses (they may lie over anything
and end one step outside), hazards off the board (map snail_mode), snakes with no body,
whatever their ids (an error only once moves are played), food one step outside where the ruleset throws all food
away unread (constrictor).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pipeline.engine.layout import CAUSE_WORDS, CONSTRICTOR, MAX_HEALTH, MAX_SIDE, MAX_SNAKES, WRAPPED
from schemas.errors import GameStateError

Cell = tuple[int, int]
_BIGGEST = 2**31 - 1
_STATE_FIELDS = ("turn", "width", "height", "food", "hazards", "snakes")


@dataclass(frozen=True)
class CheckedSnake:
    """One snake of a checked state; `cause` "" while it lives."""

    id: str
    health: int
    body: tuple[Cell, ...]
    cause: str
    by: str
    on: int


@dataclass(frozen=True)
class CheckedState:
    """A state that compiled code may hold."""

    turn: int
    width: int
    height: int
    food: tuple[Cell, ...]
    hazards: tuple[Cell, ...]
    snakes: tuple[CheckedSnake, ...]

    @property
    def has_cells(self) -> bool:
        """False for the empty board of some official cases, on which nothing can be played."""
        return self.width > 0 and self.height > 0


def refuse(what: str, field: str) -> NoReturn:
    """Raise GameStateError: the refusal of one field."""
    raise GameStateError(what, where=field, remedy="Correct it; nothing was loaded or played.")


def read_integer(value: object, field: str, low: int, high: int) -> int:
    """Return a whole number within both bounds (inclusive)."""
    if type(value) is not int:
        refuse(f"{value!r} is no whole number", field)
    if not low <= value <= high:
        refuse(f"{value} is not within {low}..{high}", field)
    return value


def _list(value: object, field: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        refuse(f"{type(value).__name__} given where a list belongs", field)
    return value


def read_cells(value: object, field: str, xs: tuple[int, int], ys: tuple[int, int]) -> tuple[Cell, ...]:
    """Return a list of cells [x, y] whose coordinates lie within both bounds (inclusive)."""
    (x_low, x_high), (y_low, y_high) = xs, ys
    cells = []
    for index, point in enumerate(_list(value, field)):
        if not isinstance(point, (list, tuple)) or len(point) != 2:
            refuse(f"{point!r} is no cell [x, y]", f"{field}[{index}]")
        x, y = point
        if not (type(x) is type(y) is int and x_low <= x <= x_high and y_low <= y <= y_high):
            read_integer(x, f"{field}[{index}].x", *xs)
            read_integer(y, f"{field}[{index}].y", *ys)
        cells.append((x, y))
    return tuple(cells)


def read_food(value: object, field: str, width: int, height: int, slack: int = 0) -> tuple[Cell, ...]:
    """Return food cells, each on the board (or at most `slack` cells beyond it) and named once."""
    food = read_cells(value, field, (-slack, width - 1 + slack), (-slack, height - 1 + slack))
    if len(set(food)) != len(food):
        refuse("two food on one cell", field)
    return food


def read_hazards(value: object, field: str, width: int, height: int) -> tuple[Cell, ...]:
    """Return hazard cells; off the board as far as snail_mode keeps its pending trails."""
    hazards = read_cells(value, field, (-1, width), (-1, 2 * height))
    if len(hazards) > 255 and max(Counter(hazards).values()) > 255:
        refuse("more than 255 hazards on one cell", field)
    return hazards


def _connected(a: Cell, b: Cell, width: int, height: int, wrapped: bool) -> bool:
    dx, dy = abs(a[0] - b[0]), abs(a[1] - b[1])
    if dx + dy == 1:
        return True
    return wrapped and ((dx == width - 1 and dy == 0) or (dy == height - 1 and dx == 0))


def _check_living_body(
    snake: CheckedSnake, field: str, state: CheckedState, wrapped: bool, taken: dict[Cell, str]
) -> None:
    body = snake.body
    read_integer(snake.health, f"{field}.health", 1, MAX_HEALTH)
    for index, cell in enumerate(body):
        place = f"{field}.body[{index}]"
        read_integer(cell[0], f"{place}.x", 0, state.width - 1)
        read_integer(cell[1], f"{place}.y", 0, state.height - 1)
        if index and cell == body[index - 1]:
            if any(later != cell for later in body[index:]):
                refuse("body entries are stacked elsewhere than at the tail", place)
            continue
        if index and not _connected(cell, body[index - 1], state.width, state.height, wrapped):
            refuse(f"{list(cell)} is not next to the entry before", place)
        if cell in taken:
            refuse(f"{list(cell)} is already a cell of snake {taken[cell]!r}", place)
        taken[cell] = snake.id
    if len(body) > state.width * state.height + 100:
        refuse("more copies of the tail than any game can make", f"{field}.body")


def _read_snake(value: object, field: str, width: int, height: int) -> CheckedSnake:
    if not isinstance(value, Mapping):
        refuse(f"{type(value).__name__} given where a snake belongs", field)
    unknown = set(value) - {"id", "health", "body", "cause", "by", "on"}
    if unknown:
        refuse("unknown field", f"{field}.{min(map(str, unknown))}")
    name = value.get("id")
    if not isinstance(name, str) or (not name and value.get("body")):
        refuse(f"{name!r} is no id", f"{field}.id")
    cause = value.get("cause") or ""
    if cause not in CAUSE_WORDS:
        refuse(f"{cause!r} is no cause of death", f"{field}.cause")
    by = value.get("by") or ""
    if not isinstance(by, str):
        refuse(f"{by!r} is no snake id", f"{field}.by")
    return CheckedSnake(
        id=name,
        health=read_integer(value.get("health"), f"{field}.health", -_BIGGEST if cause else 0, MAX_HEALTH),
        body=read_cells(value.get("body"), f"{field}.body", (-1, max(width, 1)), (-1, max(height, 1))),
        cause=cause,
        by=by,
        on=read_integer(value.get("on") or 0, f"{field}.on", 0, _BIGGEST),
    )


def read_state(state: Mapping[str, Any], rules: int) -> CheckedState:
    """Check a state in the form of `to_state`.

    Raises:
        GameStateError: `where` names the first field that breaks an invariant.
    """
    if not isinstance(state, Mapping):
        refuse(f"{type(state).__name__} given where a state belongs", "state")
    for name in state:
        if name not in _STATE_FIELDS:
            refuse("unknown field", str(name))
    for name in _STATE_FIELDS:
        if name not in state:
            refuse("missing field", name)
    width = read_integer(state["width"], "width", 0, MAX_SIDE)
    height = read_integer(state["height"], "height", 0, MAX_SIDE)
    snakes = _list(state["snakes"], "snakes")
    if len(snakes) > MAX_SNAKES:
        refuse(f"{len(snakes)} snakes, at most {MAX_SNAKES} can play", "snakes")
    checked = CheckedState(
        turn=read_integer(state["turn"], "turn", 0, _BIGGEST),
        width=width,
        height=height,
        food=read_food(state["food"], "food", width, height, slack=1 if rules & CONSTRICTOR else 0),
        hazards=read_hazards(state["hazards"], "hazards", width, height),
        snakes=tuple(_read_snake(s, f"snakes[{i}]", width, height) for i, s in enumerate(snakes)),
    )
    ids: set[str] = set()
    taken: dict[Cell, str] = {}
    for index, snake in enumerate(checked.snakes):
        field = f"snakes[{index}]"
        if snake.id in ids and snake.body:
            refuse(f"a second snake has the id {snake.id!r}", f"{field}.id")
        ids.add(snake.id)
        if not snake.cause and snake.body and checked.has_cells:
            _check_living_body(snake, field, checked, bool(rules & WRAPPED), taken)
    return checked
