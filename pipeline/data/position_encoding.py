"""The compiled loop that turns tapes into positions: replayed by the rules, encoded, labelled."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.encode import F_OPEN, encode_rows
from pipeline.engine.layout import Moves, Record, Records
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.mind import Mind
from pipeline.engine.record import record_of
from pipeline.engine.seats import CALLER
from pipeline.engine.symmetry import IDENTITY
from pipeline.engine.tape_reading import begin_tape, play_tape_turn

REFUSED: Final = -1
HORIZON: Final = 10
"""Turns ahead that `territory` tells of."""
_MOST_SURVIVED: Final = 65_535

# rows of the scratch, int64[2, MAX_SNAKES]
_ZEROS: Final = 0
_SNAKES: Final = 1


class PositionSelection(NamedTuple):
    """Which rows of which games: tapes packed as by `scan.pack`, rows[g] .. rows[g + 1] being game g's; offsets
    int64[G, S]: the first turn sampled of a seat, -1 for none; every: turns between samples; teacher: a player kind, or
    CALLER for the moves played; lenses and which of them each game needs (`observe`)."""

    tape: Moves
    ends: NDArray[np.int64]
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    every: int
    teacher: int
    lenses: Any
    lens_of: NDArray[np.int64]


class Made(NamedTuple):
    """The arrays of `Positions` that are written, planes flattened to [M, 12 * area]."""

    planes: NDArray[np.uint8]
    features: NDArray[np.uint8]
    context: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    moves: NDArray[np.uint8]
    outcome: NDArray[np.float32]
    survived: NDArray[np.uint16]
    died: NDArray[np.bool_]
    territory: NDArray[np.uint8]
    turns: NDArray[np.int32]
    seats: NDArray[np.uint8]


@compiled
def list_snakes(game: Record, asked: PositionSelection, number: int, row: int, end: int, scratch: NDArray[np.int64],
                made: Made) -> int:  # fmt: skip
    """Write turn and seat of this turn's rows, from `row` on; return their number, or REFUSED beyond `end`."""
    count, turn = 0, int(game.clock[layout.TURN])
    for snake in range(game.fields[layout.SNAKES]):
        offset = asked.offsets[number, snake]
        alive = game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE
        if offset < 0 or not alive or turn < offset or (turn - offset) % asked.every != 0:
            continue
        if row + count >= end:
            return REFUSED
        scratch[_SNAKES, count] = snake
        made.turns[row + count], made.seats[row + count] = turn, snake
        count += 1
    return count


@compiled
def write_masks(made: Made, row: int, count: int) -> None:
    """Write the masks of freshly encoded rows from their features."""
    for index in range(row, row + count):
        opened = False
        for move in range(4):
            made.masks[index, move] = made.features[index, F_OPEN + move] > 0
            opened |= made.masks[index, move]
        if not opened:
            made.masks[index] = True


@compiled
def write_labels(mind: Mind, game: Record, kinds: Moves, moves: Moves, teacher: int,
                 made: Made, row: int, count: int) -> None:  # fmt: skip
    """Write the teacher's moves of these rows."""
    kinds[:] = CALLER
    for index in range(row, row + count):
        kinds[made.seats[index]] = teacher
    choose_moves(mind, game, kinds, moves)
    for index in range(row, row + count):
        made.moves[index] = moves[made.seats[index]]


@inlined
def keep_owners(game: Record, place: NDArray[np.int16], owners: NDArray[np.uint8]) -> None:
    """Write who lies on each place of the frame: 0 nobody, else snake + 1."""
    owners[:] = 0
    width, stride = int(game.fields[layout.WIDTH]), int(game.fields[layout.STRIDE])
    for y in range(1, game.fields[layout.HEIGHT] + 1):
        # A row of the board is one of the frame, and no wall lies in it: the inner loop branches nowhere.
        cell = y * stride + 1
        start = place[cell]
        for x in range(width):
            owners[start + x] = game.grid[cell + x] & layout.OWNER


@compiled
def outcome_of(game: Record, snake: int) -> float:
    """Return +1, 0 or -1 for a snake of a finished game, as `Positions` defines it."""
    death, turns, living = game.clock[layout.DEATHS + snake], game.clock[layout.TURN], game.fields[layout.ALIVE]
    if game.fields[layout.RULES] & layout.SOLO:
        return -1.0 if death > 0 else 0.0
    if death == 0:
        return 1.0 if living == 1 else 0.0
    return 0.0 if living == 0 and death == turns else -1.0


@compiled
def write_endings(game: Record, owners: NDArray[np.uint8], first: int, end: int, made: Made) -> None:
    """Write of a finished game's rows what only its course tells: outcome, survival, territory."""
    turns = int(game.clock[layout.TURN])
    for row in range(first, end):
        snake, turn = int(made.seats[row]), int(made.turns[row])
        death = int(game.clock[layout.DEATHS + snake])
        made.outcome[row] = outcome_of(game, snake)
        made.survived[row] = min((death if death > 0 else turns) - turn, _MOST_SURVIVED)
        made.died[row] = death > 0
        later = owners[min(turn + HORIZON, turns)]
        target = made.territory[row]
        for place in range(later.shape[0]):
            owner = later[place]
            target[place] = (owner != 0) * (1 + (owner != snake + 1))


@compiled
def encode_game(
    mind: Mind, records: Records, kinds: Moves, moves: Moves, trail: Any,
    owners: NDArray[np.uint8], scratch: NDArray[np.int64], symmetries: Moves, asked: PositionSelection, made: Made,
    number: int,
) -> int:  # fmt: skip
    """Write the rows of one game; REFUSED if its tape is no game's, or makes other rows than were counted."""
    game = record_of(records, 0)
    tape, end, row, last = asked.tape, asked.ends[number + 1], asked.rows[number], asked.rows[number + 1]
    scratch[_ZEROS] = 0
    lens_of = asked.lens_of[number : number + 1]
    place = asked.lenses[asked.lens_of[number]].place[IDENTITY]
    at = begin_tape(game, tape, asked.ends[number], end)
    while at >= 0 and at < end:
        turn = game.clock[layout.TURN]
        if turn + 1 >= owners.shape[0]:
            return REFUSED
        keep_owners(game, place, owners[turn])
        count = list_snakes(game, asked, number, row, last, scratch, made)
        if count == REFUSED:
            return REFUSED
        if count > 0:
            part = slice(row, row + count)
            symmetries[:] = IDENTITY
            encode_rows(asked.lenses, lens_of, trail, records, scratch[_ZEROS, :count],
                        scratch[_SNAKES, :count], symmetries[:count], made.planes[part], made.features[part],
                        made.context[part])  # fmt: skip
            write_masks(made, row, count)
        if count > 0 and asked.teacher != CALLER:
            write_labels(mind, game, kinds, moves, asked.teacher, made, row, count)
        at = play_tape_turn(game, moves, tape, at, end)
        if asked.teacher == CALLER:
            for index in range(row, row + count):
                made.moves[index] = moves[made.seats[index]]
        row += count
    if at < 0 or row != last:
        return REFUSED
    keep_owners(game, place, owners[game.clock[layout.TURN]])
    write_endings(game, owners, asked.rows[number], last, made)
    return at


@compiled
def encode_games(
    mind: Mind, records: Records, kinds: Moves, moves: Moves, trail: Any,
    owners: NDArray[np.uint8], scratch: NDArray[np.int64], symmetries: Moves, asked: PositionSelection, made: Made
) -> int:  # fmt: skip
    """Write all rows asked for; return -1, or the first game that is refused."""
    for number in range(asked.ends.shape[0] - 1):
        if encode_game(mind, records, kinds, moves, trail, owners, scratch, symmetries, asked,
                       made, number) == REFUSED:  # fmt: skip
            return number
    return -1
