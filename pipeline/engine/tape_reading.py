"""Reading tapes: every state of a recorded game, rebuilt by the rules from its moves and spawns."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from pipeline.engine import layout
from pipeline.engine.layout import Records
from pipeline.engine.state_reading import read_state_back
from pipeline.engine.tape import FORMAT, HEAD_BYTES, seed_of
from pipeline.engine.tape_playing import BAD_FORMAT, BAD_SIZE, BAD_SNAKES, REFUSALS, begin_tape, play_tape_turn
from schemas.errors import GameStateError


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
