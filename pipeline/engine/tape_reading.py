"""Reading tapes: every state of a recorded game, rebuilt by the rules from its moves and spawns.

In compiled code `begin_tape` sets a game up from the head and start of its tape, `play_tape_turn` plays its next turn;
both return where the tape goes on, or a number below 0 where it is cut or holds what no game can: one of REFUSALS.
Nothing beyond the record's own row is ever written, whatever the bytes. `TapeReader` is the same for Python.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import add_food, add_hazard, cell_of, clear_hazards
from pipeline.engine.layout import Moves, Record, Records
from pipeline.engine.map_names import LAST_MAP, SNAIL_MODE
from pipeline.engine.rules import apply_rules, is_over
from pipeline.engine.starts import place_snake
from pipeline.engine.state_reading import read_state_back
from pipeline.engine.tape import FORMAT, HAZARDS_CHANGED, HEAD_BYTES, seed_of
from pipeline.engine.turn import blank
from schemas.errors import GameStateError

CUT: Final = -1
BAD_FORMAT: Final = -2
BAD_SIZE: Final = -3
BAD_SNAKES: Final = -4
BAD_RULES: Final = -5
BAD_MAP: Final = -6
BAD_START: Final = -7
BAD_FOOD: Final = -8
BAD_HAZARDS: Final = -9
BAD_TRAIL: Final = -10
AFTER_THE_END: Final = -11
REFUSALS: Final[dict[int, tuple[str, str]]] = {
    CUT: ("tape", "the tape ends within a turn"),
    BAD_FORMAT: ("tape.format", "this is no tape of a format that this version reads"),
    BAD_SIZE: ("tape.width, tape.height", "no board of this size is played, or the record is too small for it"),
    BAD_SNAKES: ("tape.snakes", "not so many snakes can play, or the record is too small for them"),
    BAD_RULES: ("tape.rules", "there is no such ruleset"),
    BAD_MAP: ("tape.map", "there is no such map"),
    BAD_START: ("tape.start", "a snake begins off the board or on another"),
    BAD_FOOD: ("tape.food", "food lies off the board or on other food"),
    BAD_HAZARDS: ("tape.hazards", "the hazards are not those of the board's cells"),
    BAD_TRAIL: ("tape.trails", "a trail lies off the board"),
    AFTER_THE_END: ("tape", "the tape goes on after its game is over"),
}
"""What `begin_tape` and `play_tape_turn` refuse: the field, and what is wrong with it."""


@inlined
def read_short(tape: Moves, at: int) -> int:
    """Return the signed 16-bit number at `at`, lowest byte first."""
    value = int(tape[at]) | int(tape[at + 1]) << 8
    return value - ((value & 0x8000) << 1)


@inlined
def read_long(tape: Moves, at: int) -> int:
    """Return the signed 64-bit number at `at`, lowest byte first."""
    value = np.uint64(0)
    for index in range(8):
        value |= np.uint64(tape[at + index]) << np.uint64(8 * index)
    return int(np.int64(value))


@compiled
def head_problem(game: Record, tape: Moves, at: int, end: int) -> int:
    """Return what is wrong with the head at `at`, or with this record for its game; 0 where nothing is."""
    if at < 0 or end > tape.shape[0] or end - at < HEAD_BYTES or tape[at] != FORMAT:
        return BAD_FORMAT
    width, height, snakes = int(tape[at + 1]), int(tape[at + 2]), int(tape[at + 3])
    if not (
        3 <= width <= layout.MAX_SIDE
        and 3 <= height <= layout.MAX_SIDE
        and 2 * (width + 2) * (height + 2) <= game.grid.shape[0]
    ):
        return BAD_SIZE
    fits = (
        layout.DEATHS + snakes <= game.clock.shape[0]
        and layout.HEADER + layout.SNAKE_FIELDS * snakes + width * height <= game.fields.shape[0]
    )
    if not (1 <= snakes <= layout.MAX_SNAKES and fits):
        return BAD_SNAKES
    if tape[at + 4] > layout.WRAPPED + layout.CONSTRICTOR + layout.ROYALE + layout.SOLO:
        return BAD_RULES
    return BAD_MAP if tape[at + 5] > LAST_MAP else 0


@compiled
def read_head(game: Record, tape: Moves, at: int, end: int) -> int:
    """Write the header that the tape's head names; return where its start stands."""
    problem = head_problem(game, tape, at, end)
    if problem < 0:
        return problem
    game.fields[layout.WIDTH], game.fields[layout.HEIGHT], game.fields[layout.SNAKES] = (
        tape[at + 1],
        tape[at + 2],
        tape[at + 3],
    )
    game.fields[layout.RULES], game.fields[layout.MAP] = tape[at + 4], tape[at + 5]
    game.fields[layout.DAMAGE] = read_short(tape, at + 6)
    game.fields[layout.FOOD_CHANCE] = read_short(tape, at + 8)
    game.fields[layout.MINIMUM_FOOD] = read_short(tape, at + 10)
    game.clock[layout.SHRINK] = read_long(tape, at + 12)
    game.clock[layout.SEED] = read_long(tape, at + 20)
    return at + HEAD_BYTES


@inlined
def on_board(game: Record, x: int, y: int) -> bool:
    """Return whether a cell lies on the board."""
    return bool(x < game.fields[layout.WIDTH] and y < game.fields[layout.HEIGHT])


@compiled
def read_food(game: Record, tape: Moves, at: int, end: int, count: int) -> int:
    """Append `count` food."""
    if end - at < 2 * count:
        return CUT
    for index in range(at, at + 2 * count, 2):
        x, y = int(tape[index]), int(tape[index + 1])
        if not on_board(game, x, y):
            return BAD_FOOD
        cell = cell_of(game, x, y)
        if game.grid[cell] & layout.FOOD_BIT:
            return BAD_FOOD
        add_food(game, cell)
    return at + 2 * count


@compiled
def read_trails(game: Record, tape: Moves, at: int, end: int) -> int:
    """Take over the pending trails of map snail_mode."""
    snakes, stride = int(game.fields[layout.SNAKES]), int(game.fields[layout.STRIDE])
    if end - at < 3 * snakes:
        return CUT
    for snake in range(snakes):
        block = layout.HEADER + snake * layout.SNAKE_FIELDS
        x, y, count = int(tape[at]), int(tape[at + 1]), int(tape[at + 2])
        if count > 0 and not on_board(game, x, y):
            return BAD_TRAIL
        game.fields[block + layout.PENDING] = (y + 1) * stride + x + 1 if count > 0 else 0
        game.fields[block + layout.PENDING_COUNT] = count
        at += 3
    return at


@compiled
def read_hazards(game: Record, tape: Moves, at: int, end: int) -> int:
    """Put the tape's hazards in place of those there are."""
    clear_hazards(game)
    cell, area = 0, int(game.fields[layout.AREA])
    while cell < area:
        if end - at < 2:
            return CUT
        run, count = int(tape[at]), int(tape[at + 1])
        if run == 0 or cell + run > area:
            return BAD_HAZARDS
        for offset in range(run if count > 0 else 0):
            add_hazard(game, cell + offset, count)
        cell += run
        at += 2
    if game.fields[layout.MAP] == SNAIL_MODE:
        return read_trails(game, tape, at, end)
    return at


@compiled
def begin_tape(game: Record, tape: Moves, at: int, end: int) -> int:
    """Set `game` up as the game whose tape is `tape[at:end]` began; return where its first turn stands."""
    at = read_head(game, tape, at, end)
    if at < 0:
        return at
    snakes = int(game.fields[layout.SNAKES])
    if end - at < 2 * snakes + 1:
        return CUT
    blank(game)
    for snake in range(snakes):
        x, y = int(tape[at]), int(tape[at + 1])
        if not on_board(game, x, y) or game.grid[cell_of(game, x, y)] & layout.OWNER:
            return BAD_START
        place_snake(game, snake, x, y)
        at += 2
    at = read_food(game, tape, at + 1, end, int(tape[at]))
    if at < 0:
        return at
    game.fields[layout.OVER] = is_over(game)
    return read_hazards(game, tape, at, end)


@compiled
def read_moves(game: Record, moves: Moves, tape: Moves, at: int, end: int) -> int:
    """Write the next turn's moves of the living into `moves` uint8[snakes]; return where what appeared in it stands."""
    packed, bits = 0, 8
    for snake in range(game.fields[layout.SNAKES]):
        if game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] != layout.ALIVE_CAUSE:
            continue
        if bits == 8:
            if at >= end:
                return CUT
            packed, bits = int(tape[at]), 0
            at += 1
        moves[snake] = packed >> bits & 3
        bits += 2
    return at


@compiled
def play_tape_turn(game: Record, moves: Moves, tape: Moves, at: int, end: int) -> int:
    """Play the turn that stands at `at`, whose moves are then in `moves`, uint8[snakes]; return where the next stands.

    A tape that goes on after its game is over is refused.
    """
    if game.fields[layout.OVER]:
        return AFTER_THE_END
    at = read_moves(game, moves, tape, at, end)
    if at < 0 or at >= end:
        return CUT
    apply_rules(game, moves, True)
    event = int(tape[at])
    at = read_food(game, tape, at + 1, end, event & (HAZARDS_CHANGED - 1))
    if at >= 0 and event & HAZARDS_CHANGED:
        at = read_hazards(game, tape, at, end)
    game.clock[layout.TURN] += 1
    return at


class TapeReader:
    """One recorded game. `states()` yields the state before the first turn and after each, as `Batch.state_of` would.

    `records` (see `layout.py`) holds the same state for compiled readers while `states` or `turns` runs.
    """

    def __init__(self, tape: bytes) -> None:
        """Read the head and the start.

        Raises:
            GameStateError: not a tape, of a format that this version does not read, or of a game that cannot begin so;
                `where` names the field.
        """
        if len(tape) < HEAD_BYTES or tape[0] != FORMAT:
            _refuse(BAD_FORMAT)
        width, height, snakes = tape[1:4]
        if max(width, height) > layout.MAX_SIDE:
            _refuse(BAD_SIZE)
        if snakes > layout.MAX_SNAKES:
            _refuse(BAD_SNAKES)
        self.seed: Final[int] = seed_of(tape)
        self.records: Final = layout.allocate(1, [(width, height, snakes)], corpses=True)
        self._tape = np.frombuffer(bytearray(tape), np.uint8)
        self._begin()

    def _begin(self) -> int:
        return _checked(begin_tape(self.records.game(0), self._tape, 0, len(self._tape)))

    def turns(self) -> Iterator[Records]:
        """Yield `records` at the start and after each turn; the same arrays each time.

        Raises:
            GameStateError: the tape ends within a turn, or holds what no game can; `where` names the field.
        """
        at = self._begin()
        yield self.records
        moves = np.zeros(int(self.records.fields[0, layout.SNAKES]), np.uint8)
        while at < len(self._tape):
            at = _checked(play_tape_turn(self.records.game(0), moves, self._tape, at, len(self._tape)))
            yield self.records

    def states(self) -> Iterator[dict[str, Any]]:
        """Yield the states, snakes called s0, s1, ..."""
        ids = [f"s{index}" for index in range(int(self.records.fields[0, layout.SNAKES]))]
        for records in self.turns():
            yield read_state_back(records, 0, ids)


def _checked(at: int) -> int:
    if at < 0:
        _refuse(at)
    return int(at)


def _refuse(problem: int) -> None:
    field, what = REFUSALS[problem]
    raise GameStateError(what, where=field, remedy="It was cut or damaged; record the game again.")
