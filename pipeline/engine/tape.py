"""The compact record of a game while it is played: a tape of the start, the moves and what appeared.

Format 1, bytes (`tape_reading.py` reads it back):

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

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import Moves, Record, Records
from pipeline.engine.map_names import SNAIL_MODE

FORMAT: Final = 1
# format, width, height, snakes, rules, map, damage, food chance, minimum food, shrink, seed
_HEAD: Final = struct.Struct("<BBBBBBhhhqq")
HEAD_BYTES: Final = _HEAD.size
HAZARDS_CHANGED: Final = 0x80
MOST_FOOD_A_TURN: Final = 127
Length = NDArray[np.int32]
"""int32[1]: the bytes of a tape, -1 once it was given up."""
_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)


def with_head(records: Records, slot: int, seed: int, tape: bytes) -> bytes:
    """Return a tape with the head that says by which rules, and from which seed, the game was played."""
    fields = records.fields[slot]
    rules = [layout.RULES, layout.MAP, layout.DAMAGE, layout.FOOD_CHANCE, layout.MINIMUM_FOOD]
    shrink = int(records.clock[slot, layout.SHRINK])
    return (
        _HEAD.pack(FORMAT, *fields[[layout.WIDTH, layout.HEIGHT, layout.SNAKES, *rules]].tolist(), shrink, seed) + tape
    )


def seed_of(tape: bytes) -> int:
    """Return the seed that a tape's head names."""
    return int(_HEAD.unpack_from(tape)[-1])


@compiled
def put(tape: Moves, length: Length, value: int) -> None:
    """Append one byte to a game's tape, or give the tape up where it is full."""
    at = length[0]
    if at < 0:
        return
    if at >= tape.shape[0]:
        length[0] = -1
        return
    tape[at] = value
    length[0] = at + 1


@compiled
def put_cell(game: Record, tape: Moves, length: Length, cell: int) -> None:
    """Append a cell's x and y."""
    stride = int(game.fields[layout.STRIDE])
    put(tape, length, cell % stride - 1)
    put(tape, length, cell // stride - 1)


@compiled
def put_hazards(game: Record, tape: Moves, length: Length) -> None:
    """Append the hazards, and the pending trails of snail_mode."""
    area = int(game.fields[layout.AREA])
    at = area
    while at < 2 * area:
        run = 1
        while run < 255 and at + run < 2 * area and game.grid[at + run] == game.grid[at]:
            run += 1
        put(tape, length, run)
        put(tape, length, int(game.grid[at]))
        at += run
    if game.fields[layout.MAP] == SNAIL_MODE:
        for snake in range(game.fields[layout.SNAKES]):
            block = layout.HEADER + snake * layout.SNAKE_FIELDS
            put_cell(game, tape, length, int(game.fields[block + layout.PENDING]))
            put(tape, length, int(game.fields[block + layout.PENDING_COUNT]))


@compiled
def hazards_print(game: Record) -> np.uint64:
    """Return a fingerprint (FNV-1a) of the hazards and pending trails; 0 where there are none."""
    value = np.uint64(0)
    if game.fields[layout.HAZARDS] > 0:
        value = _BASIS
        for at in range(game.fields[layout.AREA], 2 * game.fields[layout.AREA]):
            value = (value ^ np.uint64(game.grid[at])) * _PRIME
    if game.fields[layout.MAP] == SNAIL_MODE:
        for snake in range(game.fields[layout.SNAKES]):
            block = layout.HEADER + snake * layout.SNAKE_FIELDS
            value = (value ^ np.uint64(game.fields[block + layout.PENDING])) * _PRIME
            value = (value ^ np.uint64(game.fields[block + layout.PENDING_COUNT])) * _PRIME
    return value


@compiled
def put_start(game: Record, tape: Moves, length: Length) -> None:
    """Begin a game's tape, right after its set-up."""
    length[0] = 0
    for snake in range(game.fields[layout.SNAKES]):
        put_cell(game, tape, length, int(game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.HEAD]))
    put(tape, length, min(int(game.fields[layout.FOOD]), 255))
    for index in range(game.fields[layout.FOOD]):
        put_cell(game, tape, length, int(game.fields[game.fields[layout.FOOD_AT] + index]))
    put_hazards(game, tape, length)


@compiled
def put_turn(game: Record, tape: Moves, length: Length, food_before: int, print_before: np.uint64) -> None:
    """Append a turn just played, its number not raised yet; the two `_before` are from between rules and map."""
    packed, bits = 0, 0
    for snake in range(game.fields[layout.SNAKES]):
        block = layout.HEADER + snake * layout.SNAKE_FIELDS
        if (
            game.fields[block + layout.CAUSE] != layout.ALIVE_CAUSE
            and game.clock[layout.DEATHS + snake] != game.clock[layout.TURN] + 1
        ):
            continue
        packed |= int(game.fields[block + layout.FACING]) << bits
        bits += 2
        if bits == 8:
            put(tape, length, packed)
            packed, bits = 0, 0
    if bits > 0:
        put(tape, length, packed)
    food = int(game.fields[layout.FOOD]) - food_before
    if food > MOST_FOOD_A_TURN:
        length[0] = -1
        return
    changed = hazards_print(game) != print_before
    put(tape, length, food | (HAZARDS_CHANGED if changed else 0))
    for index in range(food_before, food_before + food):
        put_cell(game, tape, length, int(game.fields[game.fields[layout.FOOD_AT] + index]))
    if changed:
        put_hazards(game, tape, length)
