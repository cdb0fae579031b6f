"""Reading tapes: every state of a recorded game, rebuilt by the rules from its moves and spawns."""

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.grid import add_hazard, clear_hazards
from pipeline.engine.layout import HEADER, SNAKE_WORDS, Records
from pipeline.engine.map_names import SNAIL_MODE
from pipeline.engine.rules import apply_rules
from pipeline.engine.settings import RuleSettings
from pipeline.engine.starts import place_snake
from pipeline.engine.state import put_food, write_header
from pipeline.engine.state_reading import read_state_back
from pipeline.engine.tape import HAZARDS_CHANGED
from pipeline.engine.turn import blank
from schemas.errors import GameStateError

FORMAT: Final = 1
# format, width, height, snakes, rules, map, damage, food chance, minimum food, shrink, seed
_HEAD: Final = struct.Struct("<BBBBBBhhhqq")
HEAD_BYTES: Final = _HEAD.size


def with_head(records: Records, slot: int, seed: int, tape: bytes) -> bytes:
    """Return a tape with the head that says by which rules, and from which seed, the game was played."""
    words = records.words[slot]
    rules = [layout.RULES, layout.MAP, layout.DAMAGE, layout.FOOD_CHANCE, layout.MINIMUM_FOOD]
    size = [layout.WIDTH, layout.HEIGHT, layout.SNAKES]
    shrink = int(records.longs[slot, layout.SHRINK])
    return _HEAD.pack(FORMAT, *words[size + rules].tolist(), shrink, seed) + tape


def seed_of(tape: bytes) -> int:
    """Return the seed that a tape's head names."""
    return int(_HEAD.unpack_from(tape)[-1])


class TapeReader:
    """One recorded game. `states()` yields the state before the first turn and after each, as `Batch.state_of` would.

    `records` (see `layout.py`) holds the same state for compiled readers while `states` or `turns` runs.
    """

    def __init__(self, tape: bytes) -> None:
        """Read the head.

        Raises:
            GameStateError: not a tape, or of a format that this version does not read.
        """
        if len(tape) < _HEAD.size or tape[0] != FORMAT:
            raise GameStateError(
                f"format {tape[:1].hex() or 'none'} is no tape this version reads",
                where="tape",
                remedy=f"Format {FORMAT} is the only one; record the game again.",
            )
        _, width, height, snakes, rules, number, damage, chance, minimum, shrink, seed = _HEAD.unpack_from(tape)
        settings = RuleSettings(damage, chance, minimum, shrink)
        self.seed: Final[int] = seed
        self.records: Final = layout.allocate(1, width, height, snakes, corpses=True)
        self._tape = tape
        self._at = _HEAD.size
        write_header(self.records, 0, (width, height, snakes), rules, number, settings)

    def turns(self) -> Iterator[Records]:
        """Yield `records` at the start and after each turn; the same arrays each time.

        Raises:
            GameStateError: the tape ends within a turn, or holds what no game can.
        """
        words, longs = self.records.words, self.records.longs
        self._at = _HEAD.size
        self._start()
        yield self.records
        moves = np.zeros((1, max(int(words[0, layout.SNAKES]), 1)), np.uint8)
        while self._at < len(self._tape):
            self._moves(moves)
            apply_rules(*self.records, moves, 0, True)
            event = self._byte()
            put_food(self.records, 0, [(self._byte(), self._byte()) for _ in range(event & ~HAZARDS_CHANGED)])
            if event & HAZARDS_CHANGED:
                self._hazards()
            longs[0, layout.TURN] += 1
            yield self.records

    def states(self) -> Iterator[dict[str, Any]]:
        """Yield the states, snakes called s0, s1, ..."""
        ids = [f"s{index}" for index in range(int(self.records.words[0, layout.SNAKES]))]
        for records in self.turns():
            yield read_state_back(records, 0, ids)

    def _byte(self) -> int:
        if self._at >= len(self._tape):
            raise GameStateError("the tape ends within a turn", where="tape", remedy="It was cut; record again.")
        self._at += 1
        return self._tape[self._at - 1]

    def _start(self) -> None:
        words, cells, longs = self.records.words, self.records.cells, self.records.longs
        blank(words, cells, longs, 0)
        longs[0, layout.SEED] = self.seed
        for snake in range(int(words[0, layout.SNAKES])):
            place_snake(words, cells, 0, snake, self._byte(), self._byte())
        put_food(self.records, 0, [(self._byte(), self._byte()) for _ in range(self._byte())])
        self._hazards()

    def _hazards(self) -> None:
        words, cells = self.records.words, self.records.cells
        clear_hazards(words, cells, 0)
        cell, area = 0, int(words[0, layout.AREA])
        while cell < area:
            run, count = self._byte(), self._byte()
            for offset in range(run if count else 0):
                add_hazard(words, cells, 0, cell + offset, count)
            cell += run
        if words[0, layout.MAP] == SNAIL_MODE:
            stride = int(words[0, layout.STRIDE])
            for snake in range(int(words[0, layout.SNAKES])):
                block = HEADER + snake * SNAKE_WORDS
                x, y, count = self._byte(), self._byte(), self._byte()
                words[0, block + layout.PENDING] = (y + 1) * stride + x + 1 if count else 0
                words[0, block + layout.PENDING_COUNT] = count

    def _moves(self, moves: NDArray[np.uint8]) -> None:
        words = self.records.words[0]
        packed, bits = 0, 8
        for snake in range(int(words[layout.SNAKES])):
            if words[HEADER + snake * SNAKE_WORDS + layout.CAUSE] != layout.ALIVE_CAUSE:
                continue
            if bits == 8:
                packed, bits = self._byte(), 0
            moves[0, snake] = packed >> bits & 3
            bits += 2
