"""Tapes played again in compiled code: `tape_reading.TapeReader` for those who read thousands of games a second.

`begin_tape` sets a game up from the head and start of its tape, `play_tape_turn` plays its next turn; both return where
the tape goes on, or REFUSED where it is cut or holds what no game can. Nothing beyond the record's own row is ever
written, whatever the bytes.
"""

from typing import Final

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import add_food, add_hazard, cell_of, clear_hazards
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    AREA,
    CAUSE,
    DAMAGE,
    FOOD_BIT,
    FOOD_CHANCE,
    HEADER,
    HEIGHT,
    MAP,
    MAX_SIDE,
    MAX_SNAKES,
    MINIMUM_FOOD,
    OVER,
    OWNER,
    PENDING,
    PENDING_COUNT,
    RULES,
    SEED,
    SHRINK,
    SNAKE_WORDS,
    SNAKES,
    STRIDE,
    TURN,
    WIDTH,
    Cells,
    Longs,
    Moves,
    Words,
)
from pipeline.engine.map_names import SNAIL_MODE
from pipeline.engine.rules import apply_rules, is_over
from pipeline.engine.starts import place_snake
from pipeline.engine.tape import HAZARDS_CHANGED
from pipeline.engine.tape_reading import FORMAT, HEAD_BYTES
from pipeline.engine.turn import blank

REFUSED: Final = -1


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
def read_head(words: Words, longs: Longs, game: int, tape: Moves, at: int, end: int, most_words: int) -> int:
    """Write the header that the tape's head names; REFUSED if the record's rows are too narrow for it."""
    if end - at < HEAD_BYTES or tape[at] != FORMAT:
        return REFUSED
    width, height, snakes = int(tape[at + 1]), int(tape[at + 2]), int(tape[at + 3])
    if not (3 <= width <= MAX_SIDE and 3 <= height <= MAX_SIDE and 1 <= snakes <= MAX_SNAKES):
        return REFUSED
    if HEADER + SNAKE_WORDS * snakes + width * height > most_words:
        return REFUSED
    words[game, WIDTH], words[game, HEIGHT], words[game, SNAKES] = width, height, snakes
    words[game, RULES], words[game, MAP] = tape[at + 4], tape[at + 5]
    words[game, DAMAGE] = read_short(tape, at + 6)
    words[game, FOOD_CHANCE] = read_short(tape, at + 8)
    words[game, MINIMUM_FOOD] = read_short(tape, at + 10)
    longs[game, SHRINK] = read_long(tape, at + 12)
    longs[game, SEED] = read_long(tape, at + 20)
    return at + HEAD_BYTES


@inlined
def on_board(words: Words, game: int, x: int, y: int) -> bool:
    """Return whether a cell lies on the board."""
    return bool(x < words[game, WIDTH] and y < words[game, HEIGHT])


@compiled
def read_food(words: Words, cells: Cells, game: int, tape: Moves, at: int, end: int, count: int) -> int:
    """Append `count` food."""
    if end - at < 2 * count:
        return REFUSED
    for index in range(at, at + 2 * count, 2):
        x, y = int(tape[index]), int(tape[index + 1])
        if not on_board(words, game, x, y):
            return REFUSED
        cell = cell_of(words, game, x, y)
        if cells[game, cell] & FOOD_BIT:
            return REFUSED
        add_food(words, cells, game, cell)
    return at + 2 * count


@compiled
def read_trails(words: Words, game: int, tape: Moves, at: int, end: int) -> int:
    """Take over the pending trails of map snail_mode."""
    snakes, stride = int(words[game, SNAKES]), int(words[game, STRIDE])
    if end - at < 3 * snakes:
        return REFUSED
    for snake in range(snakes):
        block = HEADER + snake * SNAKE_WORDS
        x, y, count = int(tape[at]), int(tape[at + 1]), int(tape[at + 2])
        if count > 0 and not on_board(words, game, x, y):
            return REFUSED
        words[game, block + PENDING] = (y + 1) * stride + x + 1 if count > 0 else 0
        words[game, block + PENDING_COUNT] = count
        at += 3
    return at


@compiled
def read_hazards(words: Words, cells: Cells, game: int, tape: Moves, at: int, end: int) -> int:
    """Put the tape's hazards in place of those there are."""
    clear_hazards(words, cells, game)
    cell, area = 0, int(words[game, AREA])
    while cell < area:
        if end - at < 2:
            return REFUSED
        run, count = int(tape[at]), int(tape[at + 1])
        if run == 0 or cell + run > area:
            return REFUSED
        for offset in range(run if count > 0 else 0):
            add_hazard(words, cells, game, cell + offset, count)
        cell += run
        at += 2
    if words[game, MAP] == SNAIL_MODE:
        return read_trails(words, game, tape, at, end)
    return at


@compiled
def begin_tape(words: Words, cells: Cells, longs: Longs, game: int, tape: Moves, at: int, end: int) -> int:
    """Set row `game` up as the game whose tape is `tape[at:end]` began; return where its first turn stands."""
    at = read_head(words, longs, game, tape, at, end, words.shape[1])
    if at == REFUSED:
        return REFUSED
    snakes = int(words[game, SNAKES])
    area = (words[game, WIDTH] + 2) * (words[game, HEIGHT] + 2)
    if 2 * area > cells.shape[1] or end - at < 2 * snakes + 1:
        return REFUSED
    blank(words, cells, longs, game)
    for snake in range(snakes):
        x, y = int(tape[at]), int(tape[at + 1])
        if not on_board(words, game, x, y) or cells[game, cell_of(words, game, x, y)] & OWNER:
            return REFUSED
        place_snake(words, cells, game, snake, x, y)
        at += 2
    at = read_food(words, cells, game, tape, at + 1, end, int(tape[at]))
    if at == REFUSED:
        return REFUSED
    words[game, OVER] = is_over(words, game)
    return read_hazards(words, cells, game, tape, at, end)


@compiled
def read_moves(words: Words, moves: Moves, game: int, tape: Moves, at: int, end: int) -> int:
    """Write the next turn's moves of the living into `moves[game]`; return where what appeared in it stands."""
    packed, bits = 0, 8
    for snake in range(words[game, SNAKES]):
        if words[game, HEADER + snake * SNAKE_WORDS + CAUSE] != ALIVE_CAUSE:
            continue
        if bits == 8:
            if at >= end:
                return REFUSED
            packed, bits = int(tape[at]), 0
            at += 1
        moves[game, snake] = packed >> bits & 3
        bits += 2
    return at


@compiled
def play_tape_turn(
    words: Words, cells: Cells, longs: Longs, corpses: Words, moves: Moves, game: int, tape: Moves, at: int, end: int
) -> int:
    """Play the turn that stands at `at`, whose moves are then in `moves[game]`; return where the next one stands.

    A tape that goes on after its game is over is REFUSED.
    """
    if words[game, OVER]:
        return REFUSED
    at = read_moves(words, moves, game, tape, at, end)
    if at == REFUSED or at >= end:
        return REFUSED
    apply_rules(words, cells, longs, corpses, moves, game, True)
    event = int(tape[at])
    at = read_food(words, cells, game, tape, at + 1, end, event & (HAZARDS_CHANGED - 1))
    if at != REFUSED and event & HAZARDS_CHANGED:
        at = read_hazards(words, cells, game, tape, at, end)
    longs[game, TURN] += 1
    return at
