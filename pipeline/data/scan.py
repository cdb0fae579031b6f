"""What a tape tells once it is played again: how the game went for each seat, and what its quality is computed from."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import is_open, neighbour
from pipeline.engine.layout import (
    ALIVE,
    ALIVE_CAUSE,
    CAUSE,
    DEATHS,
    FACING,
    HAZARD,
    HEAD,
    HEADER,
    KILLER,
    LENGTH,
    OUT_OF_HEALTH,
    SNAKE_FIELDS,
    SNAKES,
    TURN,
    Moves,
    Record,
    Records,
)
from pipeline.engine.tape import HEAD_BYTES
from pipeline.engine.tape_reading import begin_tape, play_tape_turn
from schemas.errors import DataError

REFUSED: Final = -1
OPENING_TURNS: Final = 6
"""Moves of a seat that make its opening: the first says nothing (all directions are one by symmetry)."""
_STRAIGHT_LEFT_RIGHT: Final = np.array([[0, 0, 1, 2], [0, 0, 2, 1], [2, 1, 0, 0], [1, 2, 0, 0]], np.int64)
"""[direction before, direction now] -> 0 straight on, 1 left, 2 right."""

# per game
S_TURNS: Final = 0
S_DECISIONS: Final = 1
S_FREE: Final = 2
S_CONTESTED: Final = 3
S_AVOIDABLE: Final = 4
SUMS: Final = 5
# per seat
D_DEATH: Final = 0
D_CAUSE: Final = 1
D_KILLER: Final = 2
D_LENGTH: Final = 3
D_OPENING: Final = 4
SEAT_FIELDS: Final = 5


class GameFacts(NamedTuple):
    """G games of at most S seats, row by row as their tapes were given.

    turns, decisions (moves made by all seats), free (those with more than one open move), contested (turns begun with
    at least two snakes alive), avoidable (deaths that need not have been, `quality.py`) int64[G]; contest float64[G]:
    over the contested turns, the mean of the second longest living snake's length over the longest's; seats int64[G];
    deaths, causes, killers, lengths, ranks, openings int64[G, S]: as in `Outcomes`; openings: the relative turns of
    moves 2 to OPENING_TURNS as a number of base 3 (0 straight, 1 left, 2 right), -1 for who died before.
    """

    turns: NDArray[np.int64]
    decisions: NDArray[np.int64]
    free: NDArray[np.int64]
    contested: NDArray[np.int64]
    avoidable: NDArray[np.int64]
    contest: NDArray[np.float64]
    seats: NDArray[np.int64]
    deaths: NDArray[np.int64]
    causes: NDArray[np.int64]
    killers: NDArray[np.int64]
    lengths: NDArray[np.int64]
    ranks: NDArray[np.int64]
    openings: NDArray[np.int64]


def pack(tapes: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all tapes in one array, and where each begins (and, last, the end): uint8[B], int64[G + 1]."""
    ends = np.zeros(len(tapes) + 1, np.int64)
    np.cumsum([len(tape) for tape in tapes], out=ends[1:])
    return np.frombuffer(b"".join(tapes), np.uint8), ends


def workspace(tapes: Sequence[bytes]) -> Records:
    """Return the record of one game, large enough for each of these tapes.

    Raises:
        DataError: one is no tape at all.
    """
    for index, tape in enumerate(tapes):
        if len(tape) < HEAD_BYTES:
            raise DataError(f"{len(tape)} bytes are no tape", where=f"game {index}", remedy="Set the game aside.")
    sides = [max(tape[axis] for tape in tapes) if tapes else 3 for axis in (1, 2, 3)]
    width, height, snakes = min(sides[0], layout.MAX_SIDE), min(sides[1], layout.MAX_SIDE), sides[2]
    return layout.allocate(1, [(width, height, min(max(snakes, 1), layout.MAX_SNAKES))], corpses=False)


@inlined
def is_threatened(game: Record, snake: int, cell: int) -> bool:
    """Return whether another living head at least as long may enter `cell` on the same turn."""
    mine = game.fields[HEADER + snake * SNAKE_FIELDS + LENGTH]
    for other in range(game.fields[SNAKES]):
        at = HEADER + other * SNAKE_FIELDS
        if other == snake or game.fields[at + CAUSE] != ALIVE_CAUSE or game.fields[at + LENGTH] < mine:
            continue
        for way in range(4):
            if neighbour(game, int(game.fields[at + HEAD]), way) == cell:
                return True
    return False


@compiled
def look_round(game: Record, safe: NDArray[np.int64], sums: NDArray[np.int64]) -> None:
    """Count decisions and free ones; safe[snake] = its open moves on to cells that no head can contest."""
    for snake in range(game.fields[SNAKES]):
        at = HEADER + snake * SNAKE_FIELDS
        if game.fields[at + CAUSE] != ALIVE_CAUSE:
            continue
        opened, safe[snake] = 0, 0
        for way in range(4):
            cell = neighbour(game, int(game.fields[at + HEAD]), way)
            if is_open(game, cell):
                opened += 1
                safe[snake] += not is_threatened(game, snake, cell)
        sums[S_DECISIONS] += 1
        sums[S_FREE] += opened > 1


@compiled
def contest_now(game: Record) -> float:
    """Return the second longest living snake's length over the longest's."""
    longest, second = 0, 0
    for snake in range(game.fields[SNAKES]):
        at = HEADER + snake * SNAKE_FIELDS
        length = int(game.fields[at + LENGTH]) if game.fields[at + CAUSE] == ALIVE_CAUSE else 0
        if length > longest:
            longest, second = length, longest
        elif length > second:
            second = length
    return second / longest


@compiled
def note_openings(game: Record, facing: NDArray[np.int64], seats: NDArray[np.int64]) -> None:
    """Append the turn just played to the openings of the living; the dead have none any more.

    `facing` [snakes] holds where each looked before, and is brought up to date; `seats` [snakes, D_...] is written.
    """
    turn = game.clock[TURN]
    for snake in range(game.fields[SNAKES]):
        at = HEADER + snake * SNAKE_FIELDS
        if game.fields[at + CAUSE] != ALIVE_CAUSE:
            seats[snake, D_OPENING] = -1
            continue
        now = int(game.fields[at + FACING])
        if turn > 1:
            seats[snake, D_OPENING] = 3 * seats[snake, D_OPENING] + _STRAIGHT_LEFT_RIGHT[facing[snake], now]
        facing[snake] = now


@compiled
def note_deaths(game: Record, safe: NDArray[np.int64], sums: NDArray[np.int64]) -> None:
    """Count the avoidable among the deaths of the turn just played into `sums` [S_...]; `safe` [snakes]: the ways out
    that each had before it."""
    for snake in range(game.fields[SNAKES]):
        cause = game.fields[HEADER + snake * SNAKE_FIELDS + CAUSE]
        if cause != ALIVE_CAUSE and game.clock[DEATHS + snake] == game.clock[TURN]:
            sums[S_AVOIDABLE] += cause in (OUT_OF_HEALTH, HAZARD) or safe[snake] > 0


@compiled
def scan_game(
    game: Record, moves: Moves, tape: Moves, at: int, end: int,
    scratch: NDArray[np.int64], sums: NDArray[np.int64], seats: NDArray[np.int64]
) -> float:  # fmt: skip
    """Play one tape, `tape[at:end]`; write its `sums` [S_...] and `seats` [snakes, D_...], return the sum of its
    contests, each 0 to 1, or REFUSED."""
    facing, safe, contest = scratch[0], scratch[1], 0.0
    at = begin_tape(game, tape, at, end)
    while at >= 0 and at < end:
        look_round(game, safe, sums)
        if game.fields[ALIVE] > 1:
            sums[S_CONTESTED] += 1
            contest += contest_now(game)
        at = play_tape_turn(game, moves, tape, at, end)
        if game.clock[TURN] <= OPENING_TURNS:
            note_openings(game, facing, seats)
        note_deaths(game, safe, sums)
    if at < 0:
        return REFUSED
    sums[S_TURNS] = game.clock[TURN]
    for snake in range(game.fields[SNAKES]):
        block = HEADER + snake * SNAKE_FIELDS
        seats[snake, D_DEATH] = game.clock[DEATHS + snake]
        seats[snake, D_CAUSE], seats[snake, D_KILLER] = game.fields[block + CAUSE], game.fields[block + KILLER]
        seats[snake, D_LENGTH] = game.fields[block + LENGTH]
        if game.clock[TURN] < OPENING_TURNS:
            seats[snake, D_OPENING] = -1
    return contest


@compiled
def scan_games(
    game: Record, moves: Moves, tape: Moves, ends: NDArray[np.int64],
    scratch: NDArray[np.int64], sums: NDArray[np.int64], seats: NDArray[np.int64], contests: NDArray[np.float64]
) -> int:  # fmt: skip
    """Play all tapes, game g in `tape[ends[g]:ends[g + 1]]`; return -1, or the first game that is REFUSED. `sums`,
    `seats` and `contests` have a row for each game."""
    for number in range(ends.shape[0] - 1):
        contests[number] = scan_game(
            game, moves, tape, ends[number], ends[number + 1], scratch, sums[number], seats[number]
        )
        if contests[number] == REFUSED:
            return number
    return -1


def scan(tapes: Sequence[bytes]) -> GameFacts:
    """Play every tape once and tell what happened.

    Raises:
        DataError: a tape is cut, or holds what no game can; names the first such by its index.
    """
    records = workspace(tapes)
    games, most = len(tapes), records.clock.shape[1] - DEATHS
    sums = np.zeros((games, SUMS), np.int64)
    seats = np.zeros((games, most, SEAT_FIELDS), np.int64)
    seats[:, :, D_KILLER] = -1
    contests = np.zeros(games)
    moves, scratch = np.zeros(layout.MAX_SNAKES, np.uint8), np.zeros((2, layout.MAX_SNAKES), np.int64)
    refused = scan_games(records.game(0), moves, *pack(tapes), scratch, sums, seats, contests)
    if refused >= 0:
        raise DataError("the tape is cut, or holds what no game can", where=f"game {refused}", remedy="Set it aside.")
    counts = np.array([tape[3] for tape in tapes], np.int64)
    contested = sums[:, S_CONTESTED]
    return GameFacts(
        turns=sums[:, S_TURNS],
        decisions=sums[:, S_DECISIONS],
        free=sums[:, S_FREE],
        contested=contested,
        avoidable=sums[:, S_AVOIDABLE],
        contest=contests / np.maximum(contested, 1),
        seats=counts,
        deaths=seats[:, :, D_DEATH],
        causes=seats[:, :, D_CAUSE],
        killers=seats[:, :, D_KILLER],
        lengths=seats[:, :, D_LENGTH],
        ranks=ranks_of(seats[:, :, D_DEATH], counts),
        openings=seats[:, :, D_OPENING],
    )


def ranks_of(deaths: NDArray[np.int64], seats: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ranks int64[G, S] by turns of death (0: never): 1 + the snakes that lived longer; 0 for no seat."""
    there = np.arange(deaths.shape[1]) < seats[:, None]
    lived = np.where(there, np.where(deaths == 0, np.iinfo(np.int64).max, deaths), -1)
    return np.asarray(np.where(there, 1 + (lived[:, None, :] > lived[:, :, None]).sum(2), 0))
