"""The compiled loop that turns tapes into positions: replayed by the rules, encoded, labelled."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.encode import F_OPEN, encode_rows
from pipeline.engine.layout import (
    ALIVE,
    ALIVE_CAUSE,
    CAUSE,
    HEADER,
    HEIGHT,
    LONGS,
    OWNER,
    RULES,
    SNAKE_WORDS,
    SNAKES,
    SOLO,
    STRIDE,
    TURN,
    WIDTH,
    Cells,
    Longs,
    Moves,
    Words,
)
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.mind import Mind
from pipeline.engine.seats import CALLER
from pipeline.engine.symmetry import IDENTITY
from pipeline.engine.tape_playing import begin_tape, play_tape_turn

REFUSED: Final = -1
HORIZON: Final = 10
"""Turns ahead that `territory` tells of."""
_MOST_SURVIVED: Final = 65_535

# rows of the scratch, int64[2, MAX_SNAKES]
_ZEROS: Final = 0
_SNAKES: Final = 1


class Asked(NamedTuple):
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
def list_snakes(words: Words, longs: Longs, asked: Asked, game: int, row: int, end: int, scratch: NDArray[np.int64],
                made: Made) -> int:  # fmt: skip
    """Write turn and seat of this turn's rows, from `row` on; return their number, or REFUSED beyond `end`."""
    count, turn = 0, int(longs[0, TURN])
    for snake in range(words[0, SNAKES]):
        offset = asked.offsets[game, snake]
        alive = words[0, HEADER + snake * SNAKE_WORDS + CAUSE] == ALIVE_CAUSE
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
def write_labels(mind: Mind, words: Words, cells: Cells, longs: Longs, kinds: Moves, moves: Moves, teacher: int,
                 made: Made, row: int, count: int) -> None:  # fmt: skip
    """Write the teacher's moves of these rows."""
    kinds[0] = CALLER
    for index in range(row, row + count):
        kinds[0, made.seats[index]] = teacher
    choose_moves(mind, words, cells, longs, 0, kinds, moves)
    for index in range(row, row + count):
        made.moves[index] = moves[0, made.seats[index]]


@inlined
def keep_owners(words: Words, cells: Cells, place: NDArray[np.int16], owners: NDArray[np.uint8]) -> None:
    """Write who lies on each place of the frame: 0 nobody, else snake + 1."""
    owners[:] = 0
    width, stride = int(words[0, WIDTH]), int(words[0, STRIDE])
    for y in range(1, words[0, HEIGHT] + 1):
        # A row of the board is one of the frame, and no wall lies in it: the inner loop branches nowhere.
        cell = y * stride + 1
        start = place[cell]
        for x in range(width):
            owners[start + x] = cells[0, cell + x] & OWNER


@compiled
def outcome_of(words: Words, longs: Longs, snake: int) -> float:
    """Return +1, 0 or -1 for a snake of a finished game, as `Positions` defines it."""
    death, turns, living = longs[0, LONGS + snake], longs[0, TURN], words[0, ALIVE]
    if words[0, RULES] & SOLO:
        return -1.0 if death > 0 else 0.0
    if death == 0:
        return 1.0 if living == 1 else 0.0
    return 0.0 if living == 0 and death == turns else -1.0


@compiled
def write_endings(words: Words, longs: Longs, owners: NDArray[np.uint8], first: int, end: int, made: Made) -> None:
    """Write of a finished game's rows what only its course tells: outcome, survival, territory."""
    turns = int(longs[0, TURN])
    for row in range(first, end):
        snake, turn = int(made.seats[row]), int(made.turns[row])
        death = int(longs[0, LONGS + snake])
        made.outcome[row] = outcome_of(words, longs, snake)
        made.survived[row] = min((death if death > 0 else turns) - turn, _MOST_SURVIVED)
        made.died[row] = death > 0
        later = owners[min(turn + HORIZON, turns)]
        target = made.territory[row]
        for place in range(later.shape[0]):
            owner = later[place]
            target[place] = (owner != 0) * (1 + (owner != snake + 1))


@compiled
def encode_game(
    mind: Mind, words: Words, cells: Cells, longs: Longs, corpses: Words, kinds: Moves, moves: Moves, trail: Any,
    owners: NDArray[np.uint8], scratch: NDArray[np.int64], symmetries: Moves, asked: Asked, made: Made, game: int,
) -> int:  # fmt: skip
    """Write the rows of one game; REFUSED if its tape is no game's, or makes other rows than were counted."""
    tape, end, row, last = asked.tape, asked.ends[game + 1], asked.rows[game], asked.rows[game + 1]
    scratch[_ZEROS] = 0
    lens_of = asked.lens_of[game : game + 1]
    place = asked.lenses[asked.lens_of[game]].place[IDENTITY]
    at = begin_tape(words, cells, longs, 0, tape, asked.ends[game], end)
    while at >= 0 and at < end:
        turn = longs[0, TURN]
        if turn + 1 >= owners.shape[0]:
            return REFUSED
        keep_owners(words, cells, place, owners[turn])
        count = list_snakes(words, longs, asked, game, row, last, scratch, made)
        if count == REFUSED:
            return REFUSED
        if count > 0:
            part = slice(row, row + count)
            symmetries[:] = IDENTITY
            encode_rows(asked.lenses, lens_of, trail, words, cells, longs, scratch[_ZEROS, :count],
                        scratch[_SNAKES, :count], symmetries[:count], made.planes[part], made.features[part],
                        made.context[part])  # fmt: skip
            write_masks(made, row, count)
        if count > 0 and asked.teacher != CALLER:
            write_labels(mind, words, cells, longs, kinds, moves, asked.teacher, made, row, count)
        at = play_tape_turn(words, cells, longs, corpses, moves, 0, tape, at, end)
        if asked.teacher == CALLER:
            for index in range(row, row + count):
                made.moves[index] = moves[0, made.seats[index]]
        row += count
    if at < 0 or row != last:
        return REFUSED
    keep_owners(words, cells, place, owners[longs[0, TURN]])
    write_endings(words, longs, owners, asked.rows[game], last, made)
    return at


@compiled
def encode_games(
    mind: Mind, words: Words, cells: Cells, longs: Longs, corpses: Words, kinds: Moves, moves: Moves, trail: Any,
    owners: NDArray[np.uint8], scratch: NDArray[np.int64], symmetries: Moves, asked: Asked, made: Made,
) -> int:  # fmt: skip
    """Write all rows asked for; return -1, or the first game that is refused."""
    for game in range(asked.ends.shape[0] - 1):
        if encode_game(mind, words, cells, longs, corpses, kinds, moves, trail, owners, scratch, symmetries, asked,
                       made, game) == REFUSED:  # fmt: skip
            return game
    return -1
