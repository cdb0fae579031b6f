"""One game behind plain Python data: the façade that checks, referees and tests call."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.game_spec import CLI_DEFAULTS, RULES_DEFAULTS, read_settings, rules_bits
from pipeline.engine.layout import ALIVE_CAUSE, HEADER, SNAKE_FIELDS, Records
from pipeline.engine.map_names import ROYALE_MAP
from pipeline.engine.new_game import begin_checked, check_map, signed_seed
from pipeline.engine.rules import apply_rules, initialise, is_over
from pipeline.engine.state import load_hazards, load_state, put_food, write_header
from pipeline.engine.state_checks import Cell, CheckedState, read_food, read_hazards, read_state, refuse
from pipeline.engine.state_reading import food_cells, hazard_cells, read_snakes
from pipeline.engine.turn import draw_turn
from schemas.errors import GameStateError

_MOVES: Final = {word: number for number, word in enumerate(layout.MOVE_WORDS)}
_NO_MOVE_WORD: Final = 255
_LONGEST: Final = 2**15 - 8  # entries of a body; only food put under a head that never moves makes so many


class MissingMoveError(GameStateError):
    """Moves were given, but none for a living snake; the turn was not played."""


class ZeroLengthSnakeError(GameStateError):
    """A living snake has no body; the turn was not played."""


class ShrinkError(GameStateError):
    """Royale hazards were to be drawn with `shrinkEveryNTurns` below 1; the turn was not played."""


class Game:
    """One game, exact to the official rules. Make it with `from_state` or `new`.

    Every state goes in and out as plain data: `turn`, `width`, `height`, `food` and `hazards` (lists of [x, y]; a
    hazard repeated is a stack) and `snakes` (dicts of `id`, `health`, `body` head first and, once dead, `cause`,
    `by`, the killer's id or "", and `on`, the turn of death).
    """

    def __init__(self, records: Records, ids: Sequence[str]) -> None:
        """Take over a one-game record that is already loaded; the two constructors below do that."""
        self.records: Final = records
        self.snake_ids: Final = tuple(ids)
        self.width: Final = int(records.fields[0, layout.WIDTH])
        self.height: Final = int(records.fields[0, layout.HEIGHT])
        self._game: Final = records.game(0)
        self._moves = np.zeros(max(len(ids), 1), np.uint8)
        # What the record cannot hold: bodies and deaths of snakes that were dead when loaded, hazards as they were
        # given (their order, and those far off the board), and until the first turn food as it was given.
        self._loaded_bodies: dict[int, list[list[int]]] = {}
        self._loaded_deaths: dict[int, dict[str, Any]] = {}
        self._given_hazards: list[list[int]] | None = None
        self._given_food: list[list[int]] | None = None

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Any],
        ruleset: str = "standard",
        settings: Mapping[str, object] | None = None,
        solo: bool = False,
        *,
        map_id: str = "standard",
        seed: int = 0,
    ) -> Self:
        """Return a game that stands in `state`. Settings left out have the rules' defaults (nothing spawns).

        Raises:
            GameStateError: a field breaks an invariant; `where` names it. Unknown rulesets, maps and settings too.
        """
        rules = rules_bits(ruleset, solo)
        checked = read_state(state, rules)
        size = (checked.width, checked.height, len(checked.snakes))
        limits = check_map(size, map_id)
        records = layout.allocate(1, [size], corpses=True)
        numbers = read_settings(settings, RULES_DEFAULTS)
        write_header(records, 0, size, rules, limits.number, numbers)
        records.clock[0, layout.SEED] = signed_seed(seed)
        load_state(records, 0, checked)
        game = cls(records, [snake.id for snake in checked.snakes])
        game._keep_aside(checked, state)
        return game

    @classmethod
    def new(
        cls,
        width: int,
        height: int,
        snake_ids: Sequence[str],
        ruleset: str = "standard",
        map_id: str = "standard",
        settings: Mapping[str, object] | None = None,
        seed: int = 0,
        *,
        solo: bool | None = None,
    ) -> Self:
        """Set up a fresh game. Settings left out have the official CLI's defaults; so has `solo`: with one snake.

        Equal arguments give equal games; the seed also decides all that the map draws later.

        Raises:
            GameStateError: bad ids, sizes (3..25) or settings, or a map that cannot be set up this way.
        """
        if not isinstance(snake_ids, Sequence):
            refuse(f"{type(snake_ids).__name__} given where a list belongs", "snake_ids")
        ids = list(snake_ids)
        for index, name in enumerate(ids):
            if not isinstance(name, str) or not name or name in ids[:index]:
                refuse(f"{name!r} is no id of its own", f"snake_ids[{index}]")
        rules = rules_bits(ruleset, len(ids) < 2 if solo is None else solo)
        numbers = read_settings(settings, CLI_DEFAULTS)
        records = begin_checked((width, height, len(ids)), rules, map_id, numbers, seed)
        return cls(records, ids)

    @property
    def turn(self) -> int:
        """Turns played."""
        return int(self.records.clock[0, layout.TURN])

    def living(self) -> list[str]:
        """Return the ids of the living snakes, in the order of the snakes."""
        fields = self.records.fields[0]
        return [
            name
            for index, name in enumerate(self.snake_ids)
            if fields[HEADER + index * SNAKE_FIELDS + layout.CAUSE] == ALIVE_CAUSE
        ]

    def is_over(self) -> bool:
        """Return whether at most one snake lives (solo: none)."""
        return bool(is_over(self._game))

    def winner(self) -> str | None:
        """Return the id of the last living snake of a game that is over; None for a draw or an unfinished game."""
        living = self.living()
        return living[0] if self.is_over() and len(living) == 1 else None

    def step(
        self,
        moves: Mapping[str, str],
        food: Sequence[Sequence[int]] | None = None,
        hazards: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """Play one whole turn and raise the turn number.

        `moves` holds a move per living snake; what is no move word takes the default move, other ids are ignored.
        Without any moves nobody moves: at turn 0 that is the engine's initialisation, later all other stages run.
        In a game that is over the rules change nothing, but map and turn number go on, as in the official CLI.

        With `food` or `hazards` given nothing is drawn at random: that food is appended after the rules, and those
        hazards (if given) stand after the turn. With both left out, the map and the seed decide.

        Raises:
            MissingMoveError, ZeroLengthSnakeError, ShrinkError: as the official engine refuses a turn.
            GameStateError: food or hazards that cannot be on this board. Nothing was played in any of these cases.
        """
        if not isinstance(moves, Mapping):
            refuse(f"{type(moves).__name__} given where moves by snake belong", "moves")
        records = self.records
        drawing = food is None and hazards is None
        new_food = () if food is None else read_food(food, "food", self.width, self.height)
        new_hazards = None if hazards is None else read_hazards(hazards, "hazards", self.width, self.height)
        if not self.is_over():
            self._check_turn(moves, drawing)
            before = [array.copy() for array in records] if new_food else []
            self._apply(moves)
            self._put_food(new_food, before)
        elif new_food:
            put_food(records, 0, new_food)
        self._given_food = None
        if drawing:
            draw_turn(self._game)
            self._given_hazards = None
        if new_hazards is not None:
            load_hazards(records, 0, new_hazards)
            self._given_hazards = [list(cell) for cell in new_hazards]
        records.clock[0, layout.TURN] += 1

    def to_state(self) -> dict[str, Any]:
        """Return the state as plain data, in the form `from_state` takes."""
        records = self.records
        food, hazards = self._given_food, self._given_hazards
        return {
            "turn": self.turn,
            "width": self.width,
            "height": self.height,
            "food": food_cells(records, 0) if food is None else [list(cell) for cell in food],
            "hazards": hazard_cells(records, 0) if hazards is None else [list(cell) for cell in hazards],
            "snakes": read_snakes(records, 0, self.snake_ids, self._loaded_bodies, self._loaded_deaths),
        }

    def _keep_aside(self, state: CheckedState, given: Mapping[str, Any]) -> None:
        for index, snake in enumerate(state.snakes):
            if snake.cause or not state.has_cells:
                self._loaded_bodies[index] = [list(cell) for cell in snake.body]
            if snake.cause:
                as_given = given["snakes"][index]
                self._loaded_deaths[index] = {k: as_given[k] for k in ("cause", "by", "on") if k in as_given}
        self._given_hazards = [list(cell) for cell in state.hazards]
        self._given_food = [list(cell) for cell in state.food]

    def _put_food(self, food: Sequence[Cell], before: Sequence[NDArray[Any]]) -> None:
        """Put food down after the rules; where some lies already, take the whole turn back."""
        try:
            put_food(self.records, 0, food)
        except GameStateError:
            arrays: tuple[NDArray[Any], ...] = self.records
            for array, old in zip(arrays, before, strict=True):
                array[:] = old
            raise

    def _check_turn(self, moves: Mapping[str, str], drawing: bool) -> None:
        fields = self.records.fields[0]
        for index, name in enumerate(self.snake_ids):
            at = HEADER + index * SNAKE_FIELDS
            if fields[at + layout.LENGTH] >= _LONGEST:
                refuse(f"a body of {fields[at + layout.LENGTH]} entries cannot grow on", f"snake {name!r}")
            if fields[at + layout.CAUSE] != ALIVE_CAUSE or (not moves and self.turn == 0):
                continue
            if fields[at + layout.LENGTH] == 0 and not self._loaded_bodies.get(index):
                raise ZeroLengthSnakeError("snake is length zero", where=f"snake {name!r}")
            if moves and name not in moves:
                raise MissingMoveError(
                    "move not provided for snake", where=f"snake {name!r}", remedy="Give each living snake a move."
                )
        shrinks = fields[layout.RULES] & layout.ROYALE or (drawing and fields[layout.MAP] == ROYALE_MAP)
        if shrinks and moves and self.records.clock[0, layout.SHRINK] < 1:
            raise ShrinkError(
                "royale game can't shrink more frequently than every turn",
                where="settings.shrinkEveryNTurns",
                remedy="Give a number of turns from 1 on.",
            )
        if (moves or self.turn > 0) and self.width * self.height == 0:
            refuse("nothing can be played on a board without cells", "width, height")

    def _apply(self, moves: Mapping[str, str]) -> None:
        if not moves and self.turn == 0:
            initialise(self._game)
            return
        for index, name in enumerate(self.snake_ids):
            word = moves.get(name)
            self._moves[index] = _MOVES.get(word, _NO_MOVE_WORD) if isinstance(word, str) else _NO_MOVE_WORD
        apply_rules(self._game, self._moves, bool(moves))
