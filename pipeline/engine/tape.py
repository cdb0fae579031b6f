"""The compact record of a game while it is played: a tape of the start, the moves and what appeared.

Format 1, bytes (`tape_playing.py` reads it back):

- head: what `_HEAD` names, lowest byte first.
- start: x, y of each snake's cell; number of food, then x, y of each; the hazards.
- each turn: the moves of the snakes that lived before it, two bits each, the first in the lowest bits, whole bytes;
  a byte with the number of food that appeared, plus HAZARDS_CHANGED; x, y of each such food; the hazards, if changed.
- hazards: runs over the hazard bytes of the record in cell order, border included, as (run 1..255, count) until all
  AREA cells are covered; then on map snail_mode x, y, count of each snake's pending trail.

A game of 100 turns with four snakes on the standard map takes about 250 bytes. A tape that is too short for its game
ends up with length -1 and is not handed out.
"""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    AREA,
    CAUSE,
    DAMAGE,
    FACING,
    FOOD,
    FOOD_AT,
    FOOD_CHANCE,
    HAZARDS,
    HEAD,
    HEADER,
    HEIGHT,
    LONGS,
    MAP,
    MINIMUM_FOOD,
    PENDING,
    PENDING_COUNT,
    RULES,
    SHRINK,
    SNAKE_WORDS,
    SNAKES,
    STRIDE,
    TURN,
    WIDTH,
    Cells,
    Longs,
    Moves,
    Records,
    Words,
)
from pipeline.engine.map_names import SNAIL_MODE

FORMAT: Final = 1
# format, width, height, snakes, rules, map, damage, food chance, minimum food, shrink, seed
_HEAD: Final = struct.Struct("<BBBBBBhhhqq")
HEAD_BYTES: Final = _HEAD.size
HAZARDS_CHANGED: Final = 0x80
MOST_FOOD_A_TURN: Final = 127
_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


def with_head(records: Records, slot: int, seed: int, tape: bytes) -> bytes:
    """Return a tape with the head that says by which rules, and from which seed, the game was played."""
    words = records.words[slot]
    rules = [RULES, MAP, DAMAGE, FOOD_CHANCE, MINIMUM_FOOD]
    shrink = int(records.longs[slot, SHRINK])
    return _HEAD.pack(FORMAT, *words[[WIDTH, HEIGHT, SNAKES, *rules]].tolist(), shrink, seed) + tape


def seed_of(tape: bytes) -> int:
    """Return the seed that a tape's head names."""
    return int(_HEAD.unpack_from(tape)[-1])


@compiled
def put(tape: Moves, lengths: NDArray[np.int32], game: int, value: int) -> None:
    """Append one byte to a game's tape, or give the tape up where it is full."""
    at = lengths[game]
    if at < 0:
        return
    if at >= tape.shape[1]:
        lengths[game] = -1
        return
    tape[game, at] = value
    lengths[game] = at + 1


@compiled
def put_cell(words: Words, tape: Moves, lengths: NDArray[np.int32], game: int, cell: int) -> None:
    """Append a cell's x and y."""
    stride = int(words[game, STRIDE])
    put(tape, lengths, game, cell % stride - 1)
    put(tape, lengths, game, cell // stride - 1)


@compiled
def put_hazards(words: Words, cells: Cells, tape: Moves, lengths: NDArray[np.int32], game: int) -> None:
    """Append the hazards, and the pending trails of snail_mode."""
    area = int(words[game, AREA])
    at = area
    while at < 2 * area:
        run = 1
        while run < 255 and at + run < 2 * area and cells[game, at + run] == cells[game, at]:
            run += 1
        put(tape, lengths, game, run)
        put(tape, lengths, game, int(cells[game, at]))
        at += run
    if words[game, MAP] == SNAIL_MODE:
        for snake in range(words[game, SNAKES]):
            block = HEADER + snake * SNAKE_WORDS
            put_cell(words, tape, lengths, game, int(words[game, block + PENDING]))
            put(tape, lengths, game, int(words[game, block + PENDING_COUNT]))


@compiled
def hazards_print(words: Words, cells: Cells, game: int) -> np.uint64:
    """Return a fingerprint (FNV-1a) of the hazards and pending trails; 0 where there are none."""
    value = np.uint64(0)
    if words[game, HAZARDS] > 0:
        value = _BASIS
        for at in range(words[game, AREA], 2 * words[game, AREA]):
            value = (value ^ np.uint64(cells[game, at])) * _PRIME
    if words[game, MAP] == SNAIL_MODE:
        for snake in range(words[game, SNAKES]):
            block = HEADER + snake * SNAKE_WORDS
            value = (value ^ np.uint64(words[game, block + PENDING])) * _PRIME
            value = (value ^ np.uint64(words[game, block + PENDING_COUNT])) * _PRIME
    return value


@compiled
def put_start(words: Words, cells: Cells, tape: Moves, lengths: NDArray[np.int32], game: int) -> None:
    """Begin a game's tape, right after its set-up."""
    lengths[game] = 0
    for snake in range(words[game, SNAKES]):
        put_cell(words, tape, lengths, game, int(words[game, HEADER + snake * SNAKE_WORDS + HEAD]))
    put(tape, lengths, game, min(int(words[game, FOOD]), 255))
    for index in range(words[game, FOOD]):
        put_cell(words, tape, lengths, game, int(words[game, words[game, FOOD_AT] + index]))
    put_hazards(words, cells, tape, lengths, game)


@compiled
def put_turn(
    words: Words,
    cells: Cells,
    longs: Longs,
    tape: Moves,
    lengths: NDArray[np.int32],
    game: int,
    food_before: int,
    print_before: np.uint64,
) -> None:
    """Append a turn just played, its number not raised yet; the two `_before` are from between rules and map."""
    packed, bits = 0, 0
    for snake in range(words[game, SNAKES]):
        block = HEADER + snake * SNAKE_WORDS
        if words[game, block + CAUSE] != ALIVE_CAUSE and longs[game, LONGS + snake] != longs[game, TURN] + 1:
            continue
        packed |= int(words[game, block + FACING]) << bits
        bits += 2
        if bits == 8:
            put(tape, lengths, game, packed)
            packed, bits = 0, 0
    if bits > 0:
        put(tape, lengths, game, packed)
    food = int(words[game, FOOD]) - food_before
    if food > MOST_FOOD_A_TURN:
        lengths[game] = -1
        return
    changed = hazards_print(words, cells, game) != print_before
    put(tape, lengths, game, food | (HAZARDS_CHANGED if changed else 0))
    for index in range(food_before, food_before + food):
        put_cell(words, tape, lengths, game, int(words[game, words[game, FOOD_AT] + index]))
    if changed:
        put_hazards(words, cells, tape, lengths, game)
