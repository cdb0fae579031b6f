"""What each seat did in games, counted by playing their tapes again in compiled code."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.data.scan import is_threatened, pack, workspace
from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import is_open, neighbour
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    CONSTRICTOR,
    DEATHS,
    HAZARD,
    HEAD,
    HEADER,
    LENGTH,
    OUT_OF_HEALTH,
    RULES,
    SNAKE_FIELDS,
    SNAKES,
    TURN,
    Moves,
    Record,
)
from pipeline.engine.tape_reading import begin_tape, play_tape_turn
from schemas.errors import DataError

STRETCH_TURNS: Final = 25
STRETCHES: Final = 12
"""Territory is told by stretches of turns; the last holds all that follows."""

# counts per game and seat
MOVES: Final = 0  # decisions made
FOOD: Final = 1  # eaten
FIRST_FOOD: Final = 2  # turn of the first, 0 none
TRAP_CHANCES: Final = 3  # decisions between an open move into less room than my length, and one into more
TRAPPED: Final = 4  # of those: took the former
RISKS: Final = 5  # decisions between a cell that a head at least as long may enter too, and an open one that none may
RISKED: Final = 6  # of those: took the former
PREYS: Final = 7  # decisions with an open cell that a shorter head may enter too, no other threatening it
PRESSED: Final = 8  # of those: took it
AVOIDABLE: Final = 9  # 1: died of hunger or hazards, or with an open cell at hand that no head could contest
COUNTS: Final = 10

_CELLS: Final = (layout.MAX_SIDE + 2) ** 2


class Counted(NamedTuple):
    """G games of at most S seats: counts int64[G, S, COUNTS]; territory int64[G, S, STRETCHES, 2]: over a seat's
    decisions, the cells that it reaches before anybody else, and those that anybody reaches first."""

    counts: NDArray[np.int64]
    territory: NDArray[np.int64]


class Scratch(NamedTuple):
    """Memory of one turn: queue, distance and owner per cell; per seat what it was before the turn, and per move
    whether it is open, how much room lies behind it (up to the snake's length), and what heads may come there."""

    queue: NDArray[np.int64]
    distance: NDArray[np.int64]
    owner: NDArray[np.int64]
    length: NDArray[np.int64]
    room: NDArray[np.int64]
    threat: NDArray[np.int64]
    prey: NDArray[np.int64]


def _scratch() -> Scratch:
    cells, ways = np.zeros((3, _CELLS), np.int64), np.zeros((3, layout.MAX_SNAKES, 4), np.int64)
    return Scratch(cells[0], cells[1], cells[2], np.zeros(layout.MAX_SNAKES, np.int64), ways[0], ways[1], ways[2])


@compiled
def room_behind(game: Record, start: int, enough: int, scratch: Scratch) -> int:
    """Return how many open cells hang together with `start`, counted up to `enough`."""
    scratch.distance[:] = 0
    scratch.distance[start] = 1
    scratch.queue[0] = start
    first, last = 0, 1
    while first < last < enough:
        cell = scratch.queue[first]
        first += 1
        for way in range(4):
            there = neighbour(game, cell, way)
            if scratch.distance[there] == 0 and is_open(game, there):
                scratch.distance[there] = 1
                scratch.queue[last] = there
                last += 1
    return last


@compiled
def share_ground(game: Record, scratch: Scratch, first_to: NDArray[np.int64]) -> int:
    """Write how many open cells each living snake reaches first, [snakes]; return how many anybody reaches first.

    All heads walk at once over cells that are open now; a cell that two reach on the same step belongs to nobody.
    """
    scratch.distance[:] = -1
    first, last, owned = 0, 0, 0
    for snake in range(game.fields[SNAKES]):
        at = HEADER + snake * SNAKE_FIELDS
        first_to[snake] = 0
        if game.fields[at + CAUSE] == ALIVE_CAUSE:
            head = int(game.fields[at + HEAD])
            scratch.distance[head], scratch.owner[head] = 0, snake
            scratch.queue[last] = head
            last += 1
    while first < last:
        cell = scratch.queue[first]
        first += 1
        snake, steps = scratch.owner[cell], scratch.distance[cell]
        if steps > 0 and snake >= 0:
            first_to[snake] += 1
            owned += 1
        for way in range(4):
            there = neighbour(game, cell, way)
            if scratch.distance[there] < 0:
                if is_open(game, there):
                    scratch.distance[there], scratch.owner[there] = steps + 1, snake
                    scratch.queue[last] = there
                    last += 1
            elif scratch.distance[there] == steps + 1 and scratch.owner[there] != snake:
                scratch.owner[there] = -1
    return owned


@inlined
def may_be_prey(game: Record, snake: int, cell: int) -> bool:
    """Return whether a shorter living head may enter `cell` on the same turn."""
    mine = game.fields[HEADER + snake * SNAKE_FIELDS + LENGTH]
    for other in range(game.fields[SNAKES]):
        at = HEADER + other * SNAKE_FIELDS
        if other == snake or game.fields[at + CAUSE] != ALIVE_CAUSE or game.fields[at + LENGTH] >= mine:
            continue
        for way in range(4):
            if neighbour(game, int(game.fields[at + HEAD]), way) == cell:
                return True
    return False


@compiled
def look_ahead(game: Record, scratch: Scratch) -> None:
    """Write of each living snake's four moves what the turn about to be played will be judged by."""
    for snake in range(game.fields[SNAKES]):
        at = HEADER + snake * SNAKE_FIELDS
        scratch.length[snake] = 0
        if game.fields[at + CAUSE] != ALIVE_CAUSE:
            continue
        length = int(game.fields[at + LENGTH])
        scratch.length[snake] = length
        for way in range(4):
            cell = neighbour(game, int(game.fields[at + HEAD]), way)
            opened = is_open(game, cell)
            scratch.room[snake, way] = room_behind(game, cell, length, scratch) if opened else 0
            scratch.threat[snake, way] = opened and is_threatened(game, snake, cell)
            scratch.prey[snake, way] = opened and may_be_prey(game, snake, cell)


@compiled
def judge_move(scratch: Scratch, snake: int, move: int, counts: NDArray[np.int64]) -> int:
    """Count one decision into `counts` [COUNTS], `move` 0 to 3; return how many open moves led to no contested cell."""
    tight, roomy, risky, safe, prey = 0, 0, 0, 0, 0
    length = scratch.length[snake]
    for way in range(4):
        room, threat = scratch.room[snake, way], scratch.threat[snake, way]
        tight += 0 < room < length
        roomy += room >= length
        risky += threat
        safe += room > 0 and threat == 0
        prey += scratch.prey[snake, way] == 1 and threat == 0
    counts[MOVES] += 1
    if tight > 0 and roomy > 0:
        counts[TRAP_CHANCES] += 1
        counts[TRAPPED] += scratch.room[snake, move] < length
    if risky > 0 and safe > 0:
        counts[RISKS] += 1
        counts[RISKED] += scratch.threat[snake, move]
    if prey > 0:
        counts[PREYS] += 1
        counts[PRESSED] += scratch.prey[snake, move] == 1 and scratch.threat[snake, move] == 0
    return safe


@compiled
def note_turn(game: Record, moves: Moves, scratch: Scratch, counts: NDArray[np.int64]) -> None:
    """Count the turn just played for everybody who lived before it into `counts` [snakes, COUNTS]."""
    for snake in range(game.fields[SNAKES]):
        if scratch.length[snake] == 0:
            continue
        at = HEADER + snake * SNAKE_FIELDS
        safe = judge_move(scratch, snake, int(moves[snake]), counts[snake])
        if game.fields[at + LENGTH] > scratch.length[snake] and not game.fields[RULES] & CONSTRICTOR:
            counts[snake, FOOD] += 1
            if counts[snake, FIRST_FOOD] == 0:
                counts[snake, FIRST_FOOD] = game.clock[TURN]
        cause = game.fields[at + CAUSE]
        if cause != ALIVE_CAUSE and game.clock[DEATHS + snake] == game.clock[TURN]:
            counts[snake, AVOIDABLE] = cause in (OUT_OF_HEALTH, HAZARD) or safe > 0


@compiled
def count_game(
    game: Record, moves: Moves, tape: Moves, at: int, end: int,
    scratch: Scratch, first_to: NDArray[np.int64], counts: NDArray[np.int64], territory: NDArray[np.int64]
) -> bool:  # fmt: skip
    """Play one tape, `tape[at:end]`, and count it into `counts` [snakes, COUNTS]; False if it is no game's."""
    at = begin_tape(game, tape, at, end)
    while at >= 0 and at < end:
        owned = share_ground(game, scratch, first_to)
        look_ahead(game, scratch)
        stretch = min(game.clock[TURN] // STRETCH_TURNS, STRETCHES - 1)
        for snake in range(game.fields[SNAKES]):
            if scratch.length[snake] > 0:
                territory[snake, stretch, 0] += first_to[snake]
                territory[snake, stretch, 1] += owned
        at = play_tape_turn(game, moves, tape, at, end)
        if at >= 0:
            note_turn(game, moves, scratch, counts)
    return at >= 0


def count_strategy(tapes: Sequence[bytes]) -> Counted:
    """Play every tape and count what each seat did.

    Raises:
        DataError: a tape is none, is cut, or holds what no game can; names the first such by its index.
    """
    records = workspace(tapes)
    games, seats = len(tapes), records.clock.shape[1] - DEATHS
    counts = np.zeros((games, seats, COUNTS), np.int64)
    territory = np.zeros((games, seats, STRETCHES, 2), np.int64)
    moves, scratch, first_to = np.zeros(layout.MAX_SNAKES, np.uint8), _scratch(), np.zeros(seats, np.int64)
    tape, ends = pack(tapes)
    game = records.game(0)
    for number in range(games):
        whole = count_game(
            game, moves, tape, ends[number], ends[number + 1], scratch, first_to, counts[number], territory[number]
        )
        if not whole:
            raise DataError(
                "the tape is cut, or holds what no game can", where=f"game {number}", remedy="Set it aside."
            )
    return Counted(counts, territory)
